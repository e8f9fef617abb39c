"""Is this statement one harmless read of the history? A parser decides; what it does not know is refused.

ClickHouse's own readonly mode refuses writes and most reads of the outside, but not INTO OUTFILE, file('…')
or system tables. So those are refused here: what is allowed are lists of statements, tables and functions.
"""

from collections.abc import Collection
from importlib.resources import files
from itertools import pairwise
from typing import NamedTuple

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType


def _words(file: str) -> frozenset[str]:
    return frozenset(files("history").joinpath(file).read_text(encoding="utf-8").lower().split())


READS = "write one SELECT, WITH … SELECT, DESCRIBE or SHOW TABLES"
TABLE_FUNCTIONS = frozenset({"numbers", "generate_series", "generateseries"})
FUNCTIONS = _words("functions.txt")
# words of the grammar and types that stand before a parenthesis without being a call; none is the name of a
# function of ClickHouse that is not allowed
SYNTAX = _words("syntax.txt")
COMBINATORS = (
    *("if", "array", "map", "distinct", "foreach", "ordefault", "ornull", "argmin", "argmax"),
    *("state", "simplestate", "merge", "mergestate", "resample"),
)
PLAIN = (exp.Literal, exp.Placeholder, exp.Boolean, exp.Null)
FORBIDDEN_CLAUSES = {"settings": "SETTINGS", "format": "FORMAT", "into": "INTO OUTFILE"}
FORBIDDEN_WORDS = {"outfile": "INTO OUTFILE", "infile": "FROM INFILE", "apply": "APPLY"}
FORBIDDEN_DATABASES = frozenset({"system", "information_schema"})


class QueryRefused(ValueError):
    """The statement is not run; the message is one sentence that says what to do about `field`."""

    def __init__(self, message: str, field: str = "query") -> None:
        super().__init__(message)
        self.field = field


class Guarded(NamedTuple):
    query: str
    parameters: frozenset[str]  # the names that must be given a value


class Guard:
    """What may be read: these tables of this database, through harmless functions.

    `functions` are all that the engine has. One that is not allowed is refused wherever its name stands,
    because higher-order functions take names. `views` are those with parameters: each is read like a table
    function, with plain values by name.
    """

    def __init__(
        self,
        database: str,
        tables: Collection[str],
        functions: Collection[str],
        views: Collection[str] = (),
    ) -> None:
        self._database = database
        self._tables = frozenset(tables)
        self._views = frozenset(views)
        self._denied = frozenset(name.lower() for name in functions) - FUNCTIONS

    def check(self, query: str) -> Guarded:
        """The statement as it may run; raises QueryRefused."""
        try:
            tokens = sqlglot.tokenize(query, dialect="clickhouse")
            while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
                tokens.pop()
            self._check_tokens(tokens)
            if tokens[0].text.lower() == "show":
                _check_show(query[tokens[0].end + 1 :])
                return Guarded(query, frozenset())
            return Guarded(query, self._check_tree(_tree(query)))
        except SqlglotError as error:
            near = getattr(error, "errors", None) or [{}]
            word = near[0].get("highlight", "")
            hint = f" near {word!r}" if word else ""
            raise QueryRefused(
                f"The query is not understood{hint}: write it more plainly, such as with a subquery."
            ) from error
        except RecursionError as error:
            raise QueryRefused("The query is nested too deeply: split it with WITH.") from error

    def _check_tokens(self, tokens: list[Token]) -> None:
        if not tokens:
            raise QueryRefused(f"The query is empty: {READS}.")
        if tokens[0].text.lower() not in {"select", "with", "describe", "show", "("}:
            raise QueryRefused(f"{tokens[0].text.upper()[:40]!r} is not a read: {READS}.")
        if any(token.token_type is TokenType.SEMICOLON for token in tokens):
            raise QueryRefused(f"There is more than one statement: {READS}.")
        for token, after in pairwise([*tokens, tokens[-1]]):
            if token is not tokens[-1] and _is_word(token):
                self._check_word(token, after)
        if _is_word(tokens[-1]):
            self._check_word(tokens[-1], None)

    def _check_word(self, token: Token, after: Token | None) -> None:
        name = token.text.lower()
        kind = after.token_type if after else None
        quoted = token.token_type is TokenType.IDENTIFIER
        if "`" in token.text or "\\" in token.text or '"' in token.text:
            raise QueryRefused(f"The name {token.text[:40]!r} has a quote or a backslash: leave it out.")
        if name in FORBIDDEN_WORDS and not quoted:
            raise QueryRefused(f"{FORBIDDEN_WORDS[name]} is not available: leave it out.")
        if kind is TokenType.DOT and name in FORBIDDEN_DATABASES:
            raise QueryRefused(f"The tables of {name} are not open: SHOW TABLES lists those that are.")
        called = kind is TokenType.L_PAREN and (quoted or name not in SYNTAX)
        known = token.text in self._views or _is_allowed(name)
        if (called and not known) or name in self._denied:
            raise QueryRefused(
                f"The function {token.text[:40]!r} is not available: leave it out or rename it."
            )

    def _check_tree(self, tree: exp.Expr) -> frozenset[str]:
        if not isinstance(tree, exp.Query | exp.Describe):
            raise QueryRefused(f"This is not a read: {READS}.")
        known = self._tables | {cte.alias for cte in tree.find_all(exp.CTE)}
        parameters = set()
        for node in tree.walk():
            for clause, written in FORBIDDEN_CLAUSES.items():
                if node.args.get(clause) and not isinstance(node, exp.Func):  # formatDateTime has a format
                    raise QueryRefused(f"{written} is not available: leave it out.")
            match node:
                case exp.DDL() | exp.DML() | exp.Command() | exp.Into() | exp.Set():
                    raise QueryRefused(f"This is not a read: {READS}.")
                case exp.Table():
                    self._check_table(node, known)
                case exp.Anonymous() if node.name in self._views and not isinstance(node.parent, exp.Table):
                    raise QueryRefused(f"{node.name} is a view: read it with FROM {node.name}(…).")
                case exp.Column() if node.args.get("db") and node.db != self._database:
                    raise QueryRefused(f"The database {node.db!r} is not open: SHOW TABLES lists what is.")
                case exp.In() if any(isinstance(i, exp.Column) and i.table for i in node.expressions):
                    raise QueryRefused("IN needs values or a subquery here: write IN (SELECT … FROM …).")
                case exp.Placeholder():
                    parameters.add(_parameter(node))
        return frozenset(parameters)

    def _check_table(self, table: exp.Table, known: Collection[str]) -> None:
        if table.catalog or (table.db and table.db != self._database):
            raise QueryRefused(f"The database {table.db!r} is not open: SHOW TABLES lists what is.")
        source = table.this
        if isinstance(source, exp.Anonymous) and source.name in self._views:
            _check_arguments(source)
        elif isinstance(source, exp.Identifier):
            if source.name in self._views and source.name not in known:
                raise QueryRefused(
                    f"{source.name} has parameters: write {source.name}(as_of = '2026-01-31 00:00:00')."
                )
            if source.name not in known:
                raise QueryRefused(
                    f"There is no table {source.name[:80]!r}: SHOW TABLES lists what there is."
                )
        elif not isinstance(source, exp.GenerateSeries) and not (
            isinstance(source, exp.Anonymous) and source.name.lower() in TABLE_FUNCTIONS
        ):
            raise QueryRefused(
                "This table function is not available: read the tables that SHOW TABLES lists."
            )


def _check_arguments(view: exp.Anonymous) -> None:
    """Each argument of a view is a name and a plain value or a parameter."""
    for argument in view.expressions:
        match argument:
            case exp.EQ(this=exp.Column(this=exp.Identifier()) as name, expression=value) if not name.table:
                if isinstance(value.this if isinstance(value, exp.Neg) else value, PLAIN):
                    continue
        raise QueryRefused(
            f"{view.name} takes values by name: write {view.name}(as_of = '2026-01-31 00:00:00'), "
            "or a parameter in place of the value."
        )


def _is_allowed(name: str) -> bool:
    """Whether the function is on the lists, or is an aggregate on them with combinators, like sumIf."""
    if name in FUNCTIONS or name in TABLE_FUNCTIONS:
        return True
    return any(name.endswith(end) and _is_allowed(name.removesuffix(end)) for end in COMBINATORS)


def _tree(query: str) -> exp.Expr:
    try:
        statements = [statement for statement in sqlglot.parse(query, dialect="clickhouse") if statement]
    except (SqlglotError, RecursionError):
        raise
    except Exception as error:  # it takes some functions' arguments for granted: of map(1), a second one
        raise QueryRefused(
            "The query is not understood: check how many arguments each function takes."
        ) from error
    if len(statements) != 1:
        raise QueryRefused(f"There is not exactly one statement: {READS}.")
    return statements[0]


def _is_word(token: Token) -> bool:
    if token.token_type in {TokenType.STRING, TokenType.HEREDOC_STRING, TokenType.RAW_STRING}:
        return False
    return token.token_type is TokenType.IDENTIFIER or token.text[:1].isalpha() or token.text[:1] == "_"


def _check_show(rest: str) -> None:
    """SHOW TABLES, with or without LIKE '…'; any other SHOW is refused."""
    match sqlglot.tokenize(rest, dialect="clickhouse"):
        case [tables] if tables.text.lower() == "tables":
            return
        case [tables, like, pattern] if (
            tables.text.lower() == "tables"
            and like.text.lower() in {"like", "ilike"}
            and pattern.token_type is TokenType.STRING
        ):
            return
    raise QueryRefused("This SHOW is not available: write SHOW TABLES, or SHOW TABLES LIKE '…'.")


def _parameter(node: exp.Placeholder) -> str:
    if not isinstance(node.args.get("kind"), exp.DataType) or not isinstance(node.this, exp.Var | str):
        raise QueryRefused("A parameter stands for a value: write it as {name:Type}, such as {id:String}.")
    return node.name
