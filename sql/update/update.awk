# Writes the script that updates the extension, from that of the older version and that of the new one:
#
#   awk -f update.awk file=old OLD.sql file=by_hand BY_HAND.sql file=new NEW.sql
#
# Functions, aggregates and views are all replaced, as what stands in them may have changed by what they call; so a
# user's objects that depend on them stay, and so do their privileges. Of a function whose result or parameters are
# others now, the older one is dropped first. Types of rows and tables get the columns that are new, at their end. Event
# triggers that have changed are made anew. Of all else what is in NEW and not in OLD is done. What that does not reach
# is in BY_HAND, which comes first: what it drops is created again. test/t/018_update.pl shows whether something lacks.
#
# Only what needs no server to see is seen here: functions that a DO block makes, and that have another result now, are
# dropped by BY_HAND.

BEGIN {
	quote = ""
	depth = 0
	text = plain = ""
	print "/* Written by make, from sql/parts and sql/update */"
	print "\\echo Use \"ALTER EXTENSION modseq UPDATE\" to load this file. \\quit"
}

# \echo, which is for psql alone
quote == "" && depth == 0 && plain !~ /[^ \t\n]/ && /^\\/ {
	next
}

# One line. text is the statement as it stands, plain without comments and with single spaces.
{
	rest = $0 "\n"
	while (rest != "") {
		if (depth > 0) {				# in a comment, which can have others in it
			if (!match(rest, /\/\*|\*\//))
				rest = ""
			else {
				depth += substr(rest, RSTART, 1) == "/" ? 1 : -1
				rest = substr(rest, RSTART + 2)
			}
		} else if (quote != "") {		# in a text
			n = index(rest, quote)
			if (n == 0)
				n = length(rest)
			else {
				n += length(quote) - 1
				quote = ""
			}
			take(substr(rest, 1, n))
			rest = substr(rest, n + 1)
		} else if (!match(rest, /'|"|\$[A-Za-z_]*\$|--|\/\*|;/)) {
			take(rest)
			rest = ""
		} else {
			token = substr(rest, RSTART, RLENGTH)
			take(substr(rest, 1, RSTART - 1))
			rest = substr(rest, RSTART + RLENGTH)
			if (token == "--") {
				take("\n")
				rest = ""
			} else if (token == "/*")
				depth = 1
			else {
				take(token)
				if (token == ";")
					statement_ends()
				else
					quote = token
			}
		}
	}
}

END {
	if (plain ~ /[^ \t\n]/ || quote != "" || depth > 0)
		fail("the last statement has no end: " plain)
	for (i = 1; i <= nold; i++)
		if ((old[i] in function_name) && !(function_key[old[i]] in created))
			drop_function(old[i])
	printf "%s", by_hand
	for (i = 1; i <= nnew; i++)
		update(new[i], new_text[i])
	if (failed)
		exit 1
}

function fail(message)
{
	print "sql/update: " message > "/dev/stderr"
	failed = 1
}

function take(piece)
{
	text = text piece
	plain = plain piece
}

function statement_ends()
{
	gsub(/[ \t\n]+/, " ", plain)
	sub(/^ /, "", plain)
	sub(/^\n+/, "", text)
	if (plain ~ /^CREATE FUNCTION /)
		function_is(plain)
	if (file == "old") {
		old[++nold] = plain
		is_old[plain] = 1
		if (match(plain, /^CREATE (TYPE|TABLE|EVENT TRIGGER) [a-z_.]+/) && plain !~ /^CREATE TYPE [a-z_.]+;/)
			old_of[substr(plain, 1, RLENGTH)] = plain
	} else if (file == "by_hand") {
		by_hand = by_hand text "\n"
		hands = hands plain
	} else {
		new[++nnew] = plain
		new_text[nnew] = text
		if (plain in function_key)
			created[function_key[plain]] = 1
	}
	text = plain = ""
}

# The function that a statement creates: its name with what CREATE OR REPLACE cannot change, and with that by which it
# is found
function function_is(statement,    head, n)
{
	head = statement
	if (!match(head, / (LANGUAGE|AS|STABLE|IMMUTABLE|VOLATILE|STRICT|RETURN|SET) /))
		fail("no LANGUAGE: " statement)
	head = substr(head, 17, RSTART - 17)
	gsub(/ DEFAULT (NULL|[^,()]*(\([^()]*\))?[^,()]*)/, "", head)
	function_key[statement] = head
	n = index(head, " RETURNS ")
	function_name[statement] = n > 0 ? substr(head, 1, n - 1) : head
}

function drop_function(statement)
{
	print "DROP FUNCTION IF EXISTS " function_name[statement] ";"
	match(function_name[statement], /^[a-z_.]+/)
	dropped[substr(function_name[statement], 1, RLENGTH)] = 1
}

# Does the part by hand do that to what a statement creates, "CREATE KIND NAME"?
function by_hand_does(verb, created_object,    n, after)
{
	sub(/^CREATE/, verb, created_object)
	n = index(hands, created_object)
	after = substr(hands, n + length(created_object), 1)
	return n > 0 && after !~ /[A-Za-z0-9_]/
}

# A DO block has the statements in texts
function replaced(text)
{
	if (text ~ /^DO/)
		gsub(/CREATE FUNCTION/, "CREATE OR REPLACE FUNCTION", text)
	else
		sub(/CREATE/, "CREATE OR REPLACE", text)
	return text
}

function update(statement, text,    object)
{
	if (statement ~ /^(CREATE (FUNCTION|AGGREGATE|VIEW)|DO) /)
		print replaced(text)
	else if (statement ~ /^(COMMENT|DROP FUNCTION) /)
		print text
	else if (statement ~ /^(GRANT|REVOKE) /) {
		if (!(statement in is_old) || is_of_dropped(statement))
			print text
	} else if (match(statement, /^CREATE (TYPE|TABLE|EVENT TRIGGER) [a-z_.]+/)) {
		object = substr(statement, 1, RLENGTH)
		if (by_hand_does("DROP", object))
			print text
		else if (statement in is_old || by_hand_does("ALTER", object))
			return
		else if (!(object in old_of))
			print text
		else if (object ~ /EVENT/) {
			sub(/^CREATE/, "DROP", object)
			print object ";"
			print text
		} else
			add_columns(object, old_of[object], statement)
	} else if (match(statement, /^CREATE [A-Z ]+ [a-z_.]+/) && by_hand_does("DROP", substr(statement, 1, RLENGTH)))
		print text
	else if (!(statement in is_old))
		print text
}

# GRANT or REVOKE of a function that was dropped
function is_of_dropped(statement,    name)
{
	for (name in dropped)
		if (index(statement, " " name " ") || index(statement, " " name "("))
			return 1
	return match(statement, / ON [A-Z]+ [a-z_.]+/) &&
		by_hand_does("DROP", "CREATE" substr(statement, RSTART + 3, RLENGTH - 3))
}

# The columns that a type or table has got, which must come after those that it had
function add_columns(object, before, after,    added, n, i, c, level, column)
{
	sub(/ ?\)[^)]*;$/, "", before)
	if (substr(after, 1, length(before)) != before || substr(after, length(before) + 1, 1) != ",") {
		fail(object ": has changed, and not by columns at its end. sql/update must say how.")
		return
	}
	added = substr(after, length(before) + 2)
	sub(/\)[^)]*;$/, "", added)
	sub(/^CREATE/, "ALTER", object)
	added = added ","
	for (i = 1; i <= length(added); i++) {
		c = substr(added, i, 1)
		level += c == "("
		level -= c == ")"
		if (c == "," && level == 0) {
			gsub(/^ +| +$/, "", column)
			print object " ADD " (object ~ /TYPE/ ? "ATTRIBUTE " : "COLUMN ") column ";"
			column = ""
		} else
			column = column c
	}
}
