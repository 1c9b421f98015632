"""Jinja as dbt users know it: `ref`, `source`, `var`, `env_var`, `config`, `this`, `is_incremental`, and macros.

Sandboxed and strict: a name that does not exist is an error. What a template reads (refs, vars, environment, macros)
is noted while it is rendered, because exactly that enters the stage's fingerprint.
"""

import os
import re
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, cast

import jinja2
from jinja2.sandbox import SandboxedEnvironment

from hnm.errors import HnmError, Location, ProjectError, TemplateError, nearest
from hnm.project.template_cache import compiled, macros
from hnm.project.var_places import VarPlaces, place_of_ending, place_of_refused
from hnm.sqltext import quote

_MISSING = object()
SHIPPED_MACROS = Path(__file__).parent.parent / "macros"
_USAGE = {
    "ref": "`ref('stage')`",
    "source": "`source('source', 'table')`",
    "var": "`var('name')` or `var('name', default)`",
    "env_var": "`env_var('NAME')` or `env_var('NAME', 'default')`",
    "config": "`config(key=value)`",
    "macro": "`macro('name')`",
}
_CALLED = re.compile(rf"Templates\._({'|'.join(_USAGE)})\(\) (?:takes|missing|got)")
_ONE_EXPRESSION = re.compile(r"\s*\{\{-?((?:(?!\}\}).)*?)-?\}\}\s*", re.DOTALL)


@dataclass
class Rendering:
    """One rendering: the vars it may read (the stage's before the project's), and what it did read.

    `places`: where the vars are set. `calls`: the arguments of the macros that it is inside of, the outermost first.
    `renamed`: for the copy of a stage, the stages that were copied with it, itself too, to their copies' names.
    """

    name: str
    vars: Mapping[str, Any]
    renamed: Mapping[str, str] = field(default_factory=dict)
    refs: dict[str, None] = field(default_factory=dict)
    sources: dict[tuple[str, str], None] = field(default_factory=dict)
    vars_read: dict[str, Any] = field(default_factory=dict)
    env_read: dict[str, str] = field(default_factory=dict)
    macros: dict[str, None] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    places: VarPlaces = field(default_factory=dict)
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    @property
    def written_as(self) -> str:
        """The stage whose code it is: the one that was copied, or itself."""
        return next((origin for origin, copy in self.renamed.items() if copy == self.name), self.name)

    @property
    def reads(self) -> tuple[str, ...]:
        """The names of the nodes that it read."""
        return (*self.refs, *(f"{source}.{table}" for source, table in self.sources))


class Templates:
    """All templates of one project: its macros, and the functions that a template may call."""

    def __init__(self, macro_folders: tuple[Path, ...] = ()) -> None:
        self._sql = SandboxedEnvironment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
        self._current: Rendering | None = None
        self._templates: dict[tuple[str, Path], jinja2.Template] = {}  # compiling takes longer than rendering
        self._expressions: dict[str, Callable[[], Any]] = {}
        self.macro_files: dict[str, Path] = {}
        functions: dict[str, Callable[..., Any]] = {
            "ref": self._ref,
            "source": self._source,
            "var": self._var,
            "env_var": self._env_var,
            "config": self._config,
            "is_incremental": lambda: False,
            "raise_error": _raise_error,
            "macro": self._macro,
        }
        self._sql.globals.update(functions)
        for folder in (SHIPPED_MACROS, *macro_folders):
            for path in sorted(folder.glob("*.sql")):
                self._load_macros(path)

    def render_sql(self, text: str, path: Path, rendering: Rendering) -> str:
        """The SQL of a stage; what it reads is noted in `rendering`. Raises TemplateError with file and line."""
        with self._rendering(rendering, path):
            return self._template(text, path).render(this=quote(rendering.name))

    def render_value(self, value: Any, where: Location, rendering: Rendering) -> Any:
        """A YAML value with every string that holds a template rendered; one expression alone keeps its type."""
        if isinstance(value, str) and ("{{" in value or "{%" in value):
            with self._rendering(rendering, where.path, where):
                return self._rendered(value, where.path)
        if isinstance(value, dict):
            return {key: self.render_value(item, where, rendering) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self.render_value(item, where, rendering) for item in value)
        return value

    def _rendered(self, text: str, path: Path) -> Any:
        expression = _ONE_EXPRESSION.fullmatch(text)
        if not expression:
            return self._template(text, path).render()
        if text not in self._expressions:
            self._expressions[text] = self._sql.compile_expression(expression[1], undefined_to_none=False)
        value = self._expressions[text]()
        return str(value) if isinstance(value, jinja2.Undefined) else value  # the str() of what is undefined raises

    def _template(self, text: str, path: Path) -> jinja2.Template:
        if (text, path) not in self._templates:
            self._templates[text, path] = _compile(self._sql, text, path)
        return self._templates[text, path]

    @contextmanager
    def _rendering(self, rendering: Rendering, path: Path, where: Location | None = None) -> Iterator[None]:
        """Make `rendering` the current one, and every failure a TemplateError with a place."""
        outer, self._current = self._current, rendering
        try:
            yield
        except _RefusedError as error:
            error.where = where or _place_of_refused(error, rendering) or _place_in_template(error, path)
            raise
        except HnmError as error:
            error.where = error.where or where or _place_in_template(error, path)
            raise
        except jinja2.TemplateSyntaxError as error:
            place = where or Location(Path(error.filename or path), error.lineno)
            raise TemplateError(f"template error: {error.message}", where=place) from None
        except jinja2.UndefinedError as error:
            known = [*self._sql.globals, *self.macro_files]
            name = str(error.message).split("'")[1] if "'" in str(error.message) else ""
            raise TemplateError(
                f"template error: {error.message}",
                where=where or _place_in_template(error, path),
                hint=nearest(name, known),
            ) from None
        except Exception as error:  # an expression in a template may raise anything, as any program
            place = _place_in_template(error, path)
            if place.path.parent == SHIPPED_MACROS:  # which knows its own ways: what it was given is of a wrong type
                place = _place_of_refused(error, rendering) or place
            words, hint = _in_words(error, rendering)
            raise TemplateError(f"template error: {words}", where=where or place, hint=hint) from None
        finally:
            self._current = outer

    def _load_macros(self, path: Path) -> None:
        text = read_sql(path)
        try:
            defined = macros(self._sql, text, path)
        except jinja2.TemplateSyntaxError as error:
            where = Location(path, error.lineno)
            raise TemplateError(f"template error: {error.message}", where=where) from None
        template: list[jinja2.Template] = []  # compiled on first use: most invocations call few macros

        def proxy(name: str) -> Callable[..., Any]:
            def call(*args: Any, **kwargs: Any) -> Any:
                self._now().macros[name] = None
                if not template:
                    template.append(_compile(self._sql, text, path))
                self._now().calls.append(args)  # stays when the macro fails, for the error to say where
                made = getattr(template[0].make_module({"this": quote(self._now().name)}), name)(*args, **kwargs)
                self._now().calls.pop()
                return made

            return call

        for name, line in defined:
            known = self.macro_files.get(name)
            if known and known.parent == path.parent:
                what = f"macro {name!r} is defined twice"
                raise ProjectError(what, where=Location(path, line), why=f"also in {known}")
            self.macro_files[name] = path
            self._sql.globals[name] = proxy(name)

    def _macro(self, name: str) -> Callable[..., Any]:
        """The macro of that name: for SQL that chooses a macro by a var."""
        if name not in self.macro_files:
            hint = nearest(name, self.macro_files) or "macros are files in sql/macros/"
            where = place_of_ending(name, self._now().vars_read, self._now().places)
            raise TemplateError(f"there is no macro {name!r}", where=where, hint=hint)
        return cast(Callable[..., Any], self._sql.globals[name])

    def _now(self) -> Rendering:
        if self._current is None:
            raise TemplateError("template functions work only while a template is rendered")
        return self._current

    def _ref(self, name: str) -> str:
        rendering = self._now()
        name = rendering.renamed.get(name, name)
        rendering.refs[name] = None
        return quote(name)

    def _source(self, source: str, table: str) -> str:
        self._now().sources[source, table] = None
        return f"{quote(source)}.{quote(table)}"

    def _var(self, name: str, default: Any = _MISSING) -> Any:
        rendering = self._now()
        if name in rendering.vars:
            value = rendering.vars[name]
        elif default is not _MISSING:
            value = default
        else:
            raise TemplateError(
                f"var {name!r} has no value",
                hint=nearest(name, rendering.vars) or "set it under `vars:` in project.yml, or pass `--vars`",
            )
        rendering.vars_read[name] = value
        return value

    def _env_var(self, name: str, default: str | None = None) -> str:
        value = os.environ.get(name, default)
        if value is None:
            raise TemplateError(f"environment variable {name!r} is not set", hint="set it, or give a default")
        self._now().env_read[name] = value
        return value

    def _config(self, **settings: Any) -> str:
        self._now().config.update(settings)
        return ""


def _in_words(error: Exception, rendering: Rendering) -> tuple[str, str | None]:
    """What went wrong in a template, and a hint. Python names its own functions, and counts an argument too many."""
    called = _CALLED.match(str(error))
    if called:
        return f"{called[1]}() is given too many or too few values", f"write {_USAGE[called[1]]}"
    read = ", ".join(rendering.vars_read)
    return str(error), f"look at the types of the vars that it reads: {read}" if read else None


def read_sql(path: Path) -> str:
    """The text of a SQL file. Raises ProjectError when it cannot be read or is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProjectError(f"{path.name} is not UTF-8 text", where=Location(path), why=str(error)) from None
    except OSError as error:
        raise ProjectError(f"cannot read {path.name}", where=Location(path), why=error.strerror) from None


def _compile(environment: SandboxedEnvironment, text: str, path: Path) -> jinja2.Template:
    """A template whose frames carry the file's name, so that errors can name the line."""
    code = compiled(environment, text, path)
    return environment.template_class.from_code(environment, code, environment.make_globals(None))


class _RefusedError(TemplateError):
    """What a template found wrong and said by raise_error."""


def _raise_error(message: str) -> NoReturn:
    raise _RefusedError(message)


def _place_of_refused(error: Exception, rendering: Rendering) -> Location | None:
    return place_of_refused(str(error), reversed(rendering.calls), rendering.vars_read, rendering.places)


def _place_in_template(error: BaseException, path: Path) -> Location:
    """The last template line that the error passed through; rather the project's own than that of a shipped macro."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith(".sql")]
    own = [frame for frame in frames if Path(frame.filename).parent != SHIPPED_MACROS]
    last = (own or frames)[-1:]
    return Location(Path(last[0].filename), last[0].lineno) if last else Location(path)
