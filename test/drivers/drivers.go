// Runs cases.json with pgx, for test/drivers/run: go run drivers.go
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgtype"
	"github.com/jackc/pgx/v4"
)

const name = "pgx"

type testCase struct {
	What, SQL    string
	Values, Rows []interface{}
	Error, State string
	Only         []string
}

// What a case says of a value, as an application would pass it
func value(v interface{}) interface{} {
	switch v := v.(type) {
	case float64:
		return int64(v)
	case map[string]interface{}:
		if seconds, found := v["interval"]; found {
			return fmt.Sprintf("%v seconds", seconds)
		}
		return v["uuid"]
	case []interface{}:
		return list(v)
	}
	return v
}

func list(v []interface{}) interface{} {
	if len(v) == 0 {
		return []string{}
	}
	elements := reflect.MakeSlice(reflect.SliceOf(reflect.TypeOf(value(v[0]))), 0, len(v))
	for _, element := range v {
		elements = reflect.Append(elements, reflect.ValueOf(value(element)))
	}
	return elements.Interface()
}

func plain(v interface{}) interface{} {
	switch v := v.(type) {
	case nil, bool:
		return v
	case [16]byte:
		return fmt.Sprintf("%x-%x-%x-%x-%x", v[:4], v[4:6], v[6:8], v[8:10], v[10:])
	case pgtype.TextArray:
		texts := make([]interface{}, 0)
		for _, element := range v.Elements {
			texts = append(texts, element.String)
		}
		return texts
	case pgtype.Int8Array:
		numbers := make([]interface{}, 0)
		for _, element := range v.Elements {
			numbers = append(numbers, strconv.FormatInt(element.Int, 10))
		}
		return numbers
	}
	return fmt.Sprint(v)
}

func run(conn *pgx.Conn, c testCase) ([]interface{}, error) {
	sql := regexp.MustCompile(`\{(\d)\}`).ReplaceAllStringFunc(c.SQL, func(found string) string {
		return "$" + strconv.Itoa(int(found[1]-'0')+1)
	})
	values := make([]interface{}, len(c.Values))
	for i, v := range c.Values {
		values[i] = value(v)
	}
	result, err := conn.Query(context.Background(), sql, values...)
	if err != nil {
		return nil, err
	}
	defer result.Close()
	rows := make([]interface{}, 0)
	for result.Next() {
		fields, err := result.Values()
		if err != nil {
			return nil, err
		}
		row := make([]interface{}, 0)
		for _, field := range fields {
			row = append(row, plain(field))
		}
		rows = append(rows, row)
	}
	return rows, result.Err()
}

func main() {
	var cases []testCase
	text, err := os.ReadFile("cases.json")
	if err == nil {
		err = json.Unmarshal(text, &cases)
	}
	if err != nil {
		panic(err)
	}
	conn, err := pgx.Connect(context.Background(), "")
	if err != nil {
		panic(err)
	}
	failed := false
	report := func(what string, right bool, got interface{}) {
		verdict := "ok"
		if !right {
			verdict, failed = "FAILED", true
		}
		fmt.Printf("drivers %s: %s ... %s\n", name, what, verdict)
		if !right {
			fmt.Printf("    %v\n", got)
		}
	}
	for _, c := range cases {
		if c.Only != nil && !strings.Contains(" "+strings.Join(c.Only, " ")+" ", " "+name+" ") {
			continue
		}
		rows, err := run(conn, c)
		var pgError *pgconn.PgError
		if err == nil {
			report(c.What, reflect.DeepEqual(rows, c.Rows), rows)
		} else {
			state := "" // of an error of pgx's own
			if errors.As(err, &pgError) {
				state = pgError.Code
			}
			report(c.What, c.Error != "" && state == c.State && strings.Contains(err.Error(), c.Error), err)
		}
	}
	if port, found := os.LookupEnv("POOLER"); found {
		right := true
		pool, err := pgx.Connect(context.Background(), "host=127.0.0.1 statement_cache_mode=describe port="+port)
		for i := 0; i < 12 && err == nil && right; i++ {
			var rows []interface{}
			if _, err = pool.Exec(context.Background(), "BEGIN"); err != nil {
				break
			}
			if rows, err = run(pool, cases[0]); err != nil {
				break
			}
			right = reflect.DeepEqual(rows, cases[0].Rows)
			_, err = pool.Exec(context.Background(), "COMMIT")
		}
		report("a pooler", err == nil && right, err)
	}
	_, err = conn.Exec(context.Background(), "LISTEN modseq")
	if err == nil {
		_, err = conn.Exec(context.Background(), "INSERT INTO mail (mailbox_id) VALUES (3)")
	}
	if err == nil {
		_, err = conn.WaitForNotification(context.Background())
	}
	report("notifications", err == nil, err)
	if failed {
		os.Exit(1)
	}
}
