"""Incremental stages where a change hides: behind names, types, a declaration that came and went, or a second name."""

import duckdb
import pytest

PIPELINE = """
stages:
  - {name: up, unique_key: k}
  - name: down
    unique_key: k
    incremental: {key: k, inputs: {up: k}}
"""
UP = "select range as k, 'v1' as x from range(10)"
DOWN = "select k, x from {{ ref('up') }}"


def run(tiny, **options):
    result = tiny.run(**options)
    assert result.ok, [str(stage.error) for stage in result.results if stage.error]


def after(tiny, *ups, down):
    """The rows of `down` after `up` has been each of these in turn."""
    for up in ups:
        tiny.write("sql/up.sql", up)
        run(tiny)
    in_full = down.replace("{{ ref('up') }}", f"({ups[-1]})")
    assert tiny.rows("select * from down order by all") == duckdb.execute(f"from ({in_full}) order by all").fetchall()


@pytest.mark.parametrize(
    ("before", "now", "down"),
    [
        ("range as k, range % 2 = 1 as v", "range as k, (range % 2 = 1)::int as v", "select k, v::varchar as v"),
        (
            "range as k, range as a, 100 + range as b",
            "range as k, range as b, 100 + range as a",
            "select k, a - b as v",
        ),
        ("range as k, interval '1 month' as v", "range as k, interval '30 days' as v", "select k, v::varchar as v"),
    ],
)
def test_names_and_types_of_an_input_count_as_its_values_do(tiny, before, now, down):
    down = f"{down} from {{{{ ref('up') }}}}"
    tiny.stages(PIPELINE, up=UP, down=down)
    after(tiny, f"select {before} from range(10)", f"select {now} from range(10)", down=down)
    after(tiny, f"select {before} from range(10)", f"select {now} from range(11)", down=down)


def test_columns_that_trade_names_are_another_table(tiny):
    pipeline = "stages: [{name: up}, {name: down}, {name: kept, materialized: lance}]"
    rows = "select 1 as k, 10 as a, 20 as b"
    tiny.stages(pipeline, up=rows, down="select k, a - b as d from {{ ref('up') }}", kept=rows)
    run(tiny)
    for name in ("up", "kept"):
        tiny.write(f"sql/{name}.sql", "select 1 as k, 10 as b, 20 as a")
    run(tiny)
    assert tiny.rows("select d from down") == [(10,)]
    assert tiny.rows("select a, b from kept") == [(20, 10)]


def test_what_an_input_was_is_forgotten_when_it_is_followed_no_more(tiny):
    tiny.stages(PIPELINE, up=UP, down=DOWN)
    run(tiny)
    tiny.write("pipelines/tiny.yml", "stages: [{name: up, unique_key: k}, {name: down, unique_key: k}]")
    tiny.write("sql/up.sql", UP.replace("v1", "v2"))
    run(tiny)
    tiny.write("pipelines/tiny.yml", PIPELINE)
    after(tiny, UP, down=DOWN)


def test_an_input_that_is_followed_under_one_of_its_names_alone_is_not_followed(tiny):
    tiny.write(
        "most.py",
        """
        from hnm.transform import Params, transform

        @transform(params=Params, inputs=("rows", "everything"))
        def most(inputs, params, context):
            yield inputs.table("select k, x, (select max(x) from everything) as most from rows order by k")
        """,
    )
    down = """
  - name: down
    transform: most:most
    inputs: {rows: ref(up), everything: ref(up)}
    incremental: {key: k, inputs: {rows: k}}
"""
    tiny.stages(f"stages:\n  - {{name: up, unique_key: k}}{down}", up=UP)
    run(tiny)
    tiny.write("sql/up.sql", UP.replace("'v1'", "if(range = 3, 'v9', 'v1')"))
    run(tiny)
    assert tiny.rows("select distinct most from down") == [("v9",)]


def test_inputs_may_be_called_as_what_the_engine_makes(tiny):
    tiny.write(
        "copying.py",
        """
        from hnm.transform import Params, transform

        @transform(params=Params, inputs=("batch",))
        def copy(inputs, params, context):
            yield from inputs.sql("select * from batch order by k")
        """,
    )
    pipeline = """
stages:
  - {name: changed, unique_key: k}
  - {name: batch, unique_key: k, incremental: {key: k, inputs: {changed: k}}}
  - name: by_query
    incremental: {key: k, inputs: {changed: {sql: select k from changed}}}
  - name: logged
    incremental: {strategy: append, inputs: {changed: k}}
  - name: copied
    transform: copying:copy
    inputs: {batch: ref(batch)}
    unique_key: k
    incremental: {key: k, inputs: {batch: k}}
"""
    copied = "select * from {{ ref('changed') }}"
    tiny.stages(pipeline, changed=UP, batch=copied, by_query=copied, logged=copied)
    run(tiny)
    tiny.write("sql/changed.sql", UP.replace("range(10)", "range(12)").replace("'v1'", "if(range < 10, 'v1', 'v2')"))
    run(tiny)
    for name in ("batch", "by_query", "logged", "copied"):
        assert tiny.rows(f"select count(*), count(*) filter (x = 'v2') from {name}") == [(12, 2)]
    tiny.write("sql/changed.sql", UP.replace("range(10)", "range(11)"))
    run(tiny)
    for name in ("batch", "by_query", "logged", "copied"):
        assert tiny.rows(f"select count(*), count(*) filter (x = 'v2') from {name}") == [(11, 0)]


# Keys of other types.


def test_a_key_whose_type_changes_is_told_or_rebuilt(tiny):
    tiny.stages(PIPELINE, up=UP, down=DOWN)
    run(tiny)
    text = UP.replace("range as k", "range::varchar as k").replace("range(10)", "range(11)")
    tiny.write("sql/up.sql", text)
    failed = tiny.failure("up", "down")
    assert "other columns than the old ones: k" in failed.what
    assert "--select down --full-refresh" in str(failed.hint)
    rebuilding = PIPELINE.replace("{up: k}}", "{up: k}, on_schema_change: rebuild}")
    tiny.write("pipelines/tiny.yml", rebuilding)
    after(tiny, text, down=DOWN)


def test_a_stage_may_cast_its_key(tiny):
    down = "select k::varchar as k, x from {{ ref('up') }}"
    tiny.stages(PIPELINE, up=UP, down=down)
    changed = UP.replace("'v1'", "if(range = 3, 'v9', 'v1')")
    after(tiny, UP, changed, changed.replace("range(10)", "range(2, 11)"), down=down)


def test_a_column_that_is_not_there_is_told_at_the_first_build(tiny):
    tiny.stages(PIPELINE.replace("{up: k}", "{up: kk}"), up=UP, down=DOWN)
    failed = tiny.failure("up", "down")
    assert "the input up has no column 'kk'" in failed.what
    assert failed.where.line == 3
    tiny.stages(PIPELINE, up=UP, down="select k as other, x from {{ ref('up') }}")
    tiny.edit("pipelines/tiny.yml", "    unique_key: k\n    incremental", "    incremental")
    failed = tiny.failure("up", "down")
    assert "has no column 'k', by which its rows are replaced" in failed.what


def test_a_column_that_is_called_as_what_tells_the_change_is_refused(tiny):
    tiny.stages(PIPELINE.replace("{up: k}", "{up: [change]}"), up=UP.replace("as k", "as change"), down=DOWN)
    tiny.edit("pipelines/tiny.yml", "{name: up, unique_key: k}", "{name: up}")
    failed = tiny.failure("up", "down")
    assert "cannot be followed by a column called 'change'" in failed.what


# Queries for touched keys.


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("select k from changed; select 1", "it holds 2 statements"),
        ("drop table changed", "it is another statement"),
        ("select 1 as other from changed", 'Referenced column "k" not found'),
        ("selct k from changed", "syntax error"),
    ],
)
def test_a_wrong_query_for_touched_keys_is_told_at_the_first_build(tiny, query, words):
    pipeline = PIPELINE.replace("{up: k}}", "{up: {sql: QUERY}}}").replace("QUERY", f'"{query}"')
    tiny.stages(pipeline, up=UP, down=DOWN)
    failed = tiny.failure("up", "down")
    assert words in str(failed)
    assert failed.where.path.name == "tiny.yml"


def test_a_query_for_touched_keys_reads_any_input_of_the_stage(tiny):
    pipeline = """
stages:
  - {name: up, unique_key: k}
  - {name: names, unique_key: k}
  - {name: down, incremental: {key: k, inputs: {up: {sql: select k from changed join names using (k) -- all}}}}
"""
    down = "select k, x, n from {{ ref('up') }} join {{ ref('names') }} using (k)"
    tiny.stages(pipeline, up=UP, names="select range as k, 'n' as n from range(10)", down=down)
    run(tiny)
    tiny.write("sql/up.sql", UP.replace("'v1'", "if(range = 3, 'v9', 'v1')"))
    run(tiny)
    assert tiny.rows("select count(*) filter (x = 'v9'), count(*) from down") == [(1, 10)]
