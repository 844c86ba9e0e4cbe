// Runs cases.json with JDBC, for test/drivers/run: java -cp postgresql.jar:gson.jar Drivers.java
import com.google.gson.*;
import java.io.FileReader;
import java.sql.*;
import java.util.*;
import java.util.regex.*;

public class Drivers {
    static Connection connection;
    static boolean failed = false;

    static void report(String what, boolean right, Object got) {
        System.out.println("drivers jdbc: " + what + " ... " + (right ? "ok" : "FAILED"));
        if (!right)
            System.out.println("    " + got);
        failed |= !right;
    }

    static boolean isUuid(JsonElement value) {
        return value.isJsonObject() && value.getAsJsonObject().has("uuid");
    }

    // What a case says of a value, as an application would pass it
    static Object value(JsonElement value) {
        if (value.isJsonNull())
            return null;
        if (isUuid(value))
            return UUID.fromString(value.getAsJsonObject().get("uuid").getAsString());
        if (value.isJsonObject())
            return value.getAsJsonObject().get("interval").getAsInt() + " seconds";
        return value.getAsJsonPrimitive().isNumber() ? (Object) value.getAsLong() : value.getAsString();
    }

    static Object list(JsonArray list) {
        Object[] result = new Object[list.size()];
        for (int i = 0; i < result.length; i++) {
            if (list.get(i).isJsonArray())
                result[i] = list.get(i).getAsJsonArray().asList().stream().map(JsonElement::getAsString).toArray(String[]::new);
            else
                result[i] = value(list.get(i));
        }
        return result;
    }

    static void set(PreparedStatement statement, int at, JsonElement value, String sql) throws SQLException {
        if (!value.isJsonArray()) {
            if (value.isJsonNull())
                statement.setNull(at, Types.VARCHAR);
            else
                statement.setObject(at, value(value));
            return;
        }
        JsonArray list = value.getAsJsonArray();
        JsonElement first = list.size() > 0 ? list.get(0) : null;
        String type = first == null ? (sql.contains("text[]") ? "text" : "bigint") : isUuid(first) ? "uuid"
            : first.isJsonPrimitive() && first.getAsJsonPrimitive().isNumber() ? "bigint" : "text";
        Object[] elements = (Object[]) list(list);
        if (first != null && first.isJsonArray())
            elements = Arrays.copyOf(elements, elements.length, String[][].class);
        statement.setArray(at, connection.createArrayOf(type, elements));
    }

    static JsonElement plain(Object value) throws SQLException {
        if (value == null)
            return JsonNull.INSTANCE;
        if (value instanceof Boolean)
            return new JsonPrimitive((Boolean) value);
        if (!(value instanceof java.sql.Array))
            return new JsonPrimitive(value.toString());
        JsonArray result = new JsonArray();
        for (Object element : (Object[]) ((java.sql.Array) value).getArray())
            result.add(plain(element));
        return result;
    }

    // JDBC's parameters have no numbers
    static JsonArray run(String text, JsonArray values) throws SQLException {
        Matcher matcher = Pattern.compile("\\{(\\d)\\}").matcher(text);
        List<Integer> order = new ArrayList<>();
        while (matcher.find())
            order.add(Integer.parseInt(matcher.group(1)));
        String sql = text.replaceAll("\\{\\d\\}", "?");
        JsonArray rows = new JsonArray();
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            for (int i = 0; i < order.size(); i++)
                set(statement, i + 1, values.get(order.get(i)), sql);
            ResultSet result = statement.executeQuery();
            while (result.next()) {
                JsonArray row = new JsonArray();
                for (int i = 1; i <= result.getMetaData().getColumnCount(); i++)
                    row.add(plain(result.getObject(i)));
                rows.add(row);
            }
        }
        return rows;
    }

    public static void main(String[] args) throws Exception {
        Map<String, String> env = System.getenv();
        String url = "jdbc:postgresql://" + env.get("PGHOST") + ":" + env.get("PGPORT") + "/" + env.get("PGDATABASE");
        connection = DriverManager.getConnection(url, env.get("PGUSER"), env.get("PGPASSWORD"));
        for (JsonElement element : JsonParser.parseReader(new FileReader("cases.json")).getAsJsonArray()) {
            JsonObject c = element.getAsJsonObject();
            if (c.has("only") && !c.getAsJsonArray("only").contains(new JsonPrimitive("jdbc")))
                continue;
            String what = c.get("what").getAsString();
            try {
                JsonArray rows = run(c.get("sql").getAsString(), c.getAsJsonArray("values"));
                report(what, rows.equals(c.get("rows")), rows);
            } catch (SQLException error) {
                report(what, c.has("error") && error.getMessage().contains(c.get("error").getAsString())
                    && error.getSQLState().equals(c.get("state").getAsString()), error);
            }
        }
        if (env.containsKey("POOLER")) {
            String pooler = "jdbc:postgresql://127.0.0.1:" + env.get("POOLER") + "/" + env.get("PGDATABASE");
            connection = DriverManager.getConnection(pooler + "?prepareThreshold=0", env.get("PGUSER"), "");
            connection.setAutoCommit(false);
            JsonObject first = JsonParser.parseReader(new FileReader("cases.json")).getAsJsonArray().get(0).getAsJsonObject();
            JsonElement got = null;
            for (int i = 0; i < 12; i++) {
                try {
                    got = run(first.get("sql").getAsString(), first.getAsJsonArray("values"));
                    connection.commit();
                } catch (SQLException error) {
                    got = plain(error);
                }
                if (!got.equals(first.get("rows")))
                    break;
            }
            report("a pooler", got.equals(first.get("rows")), got);
        }
        System.exit(failed ? 1 : 0);
    }
}
