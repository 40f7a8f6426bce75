"""Which test executes a command of the pages.

ALONE and STACK are executed from the page's own text, where this list need not name them:
tests/docs/test_commands.py runs what needs no service, tests/integration/test_walk_of_pages.py the
rest, page by page. All else is named in ELSEWHERE with what executes it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tests.docs.pages import Command

ALONE = (
    *("backtest", "check", "validate", "strategies", "indicators", "schema", "headlines"),
    "home",
    *("--version", "--help"),
)
STACK = (
    *(
        "up",
        "status",
        "logs",
        "ingest",
        "quality",
        "watch",
        "stale",
        "verify",
        "prune",
        "pin",
        "lineage",
        "schedule",
        "ask",
    ),
    *(
        "snapshot",
        "import",
        "instrument",
        "publish",
        "scenes",
        "follow",
        "plot",
        "trades",
        "results",
        "cancel",
        "rejected",
        "trace",
        "top",
        "airflow",
        "mlflow",
        "psql",
        "dbt",
    ),
)
FOREIGN = ("airflow", "mlflow", "psql", "dbt")  # all words behind these are those programs' own
FILES = ("mkdir", "cp", "cat", "export")  # what prepares for both, on either way


class Elsewhere(NamedTuple):
    """Commands, as a pattern of their whole text, with what executes them, or why nothing does."""

    pattern: str
    held_by: tuple[str, ...]
    because: str


ELSEWHERE = (
    Elsewhere(
        r"MELA_WEB_API=.* sh web/node.sh npm run dev",
        (
            "tests/web/test_dev_server.py"
            "::test_pages_are_served_while_they_are_worked_on_and_ask_the_running_api",
        ),
        "it serves until somebody ends it",
    ),
    Elsewhere(
        r"mela user.*",
        ("tests/cli/stack/test_users.py",),
        "it makes accounts and changes them, and each starts from none",
    ),
    Elsewhere(
        r"mela (trade|drift)( .*)?",
        ("tests/integration/test_live_page.py::test_a_session_does_what_the_page_says",),
        "on a market that plays, in the order of docs/live.md",
    ),
    Elsewhere(
        r"mela (model|backtest .* --model|publish docs/models/scene\.yaml)( .*)?",
        (
            "tests/forecasts/test_registry.py",
            "tests/forecasts/test_strategy.py::test_a_scene_asks_a_model_of_a_file",
            "tests/services/models/test_models.py",
            "tests/integration/test_forecasts.py"
            "::test_a_scene_asks_the_champion_and_a_promotion_changes_no_result",
        ),
        "it trains on fewer candles, into stores of its own",
    ),
    Elsewhere(
        r"mela mcp( .*)?",
        ("tests/integration/test_assistants.py::test_an_assistant_asks_follows_and_reads_a_scene",),
        "it talks with an assistant's program until that ends",
    ),
    Elsewhere(
        r"mela (prune --restore|pin .*--remove|mlflow gc).*",
        (
            "tests/integration/test_prune.py"
            "::test_an_old_scene_is_thinned_everywhere_and_comes_back_when_asked",
        ),
        "it needs a scene of which something was pruned",
    ),
    Elsewhere(
        r"mela up --(secure|open)",
        ("tests/stack/test_guard.py",),
        "it starts what runs anew, with clients that sign in",
    ),
    Elsewhere(
        r"mela up --(cluster|single)",
        ("tests/stack/test_cluster.py",),
        "a home is one kind or the other, and the pages' stack has one of each",
    ),
    Elsewhere(
        r"(for volume in .*|MELA_REPLAY_URL=\S+ )?docker .*",
        ("tests.yml: containers",),
        "there is no container engine where tests run; tests/delivery holds what can be held",
    ),
    Elsewhere(
        r"for name in .*docker compose exec .*",
        (
            "tests/delivery/test_backup.py"
            "::test_what_was_backed_up_comes_back_with_its_owners_and_rights",
        ),
        "what stands between `docker compose exec` and the files, on a real Postgres",
    ),
    Elsewhere(
        r"sh stack/env\.sh",
        (
            "tests/delivery/test_secrets.py::test_a_second_run_keeps_what_is_set_and_adds_what_is_new",
        ),
        "in a folder of the test's own, as it writes .env",
    ),
    Elsewhere(r"git (pull|clone .*)", (), "takes the code from where it is published"),
    Elsewhere(r"mkdir -p backup && chmod 700 backup", ("tests.yml: containers",), "for the dumps"),
    Elsewhere(
        r"make (setup|test|lint|containers|audit)( WORKERS=\d+)?( ARGS=.*)?",
        ("tests.yml: check", "tests.yml: containers", "audit.yml: audit"),
        "a job runs each; and this is `make test`",
    ),
    Elsewhere(
        r"make fuzz( ARGS=.*)?",
        ("tests/fuzz/test_fuzz.py::test_no_parser_raises_anything_but_its_refusal",),
        "the same targets, for some seconds",
    ),
    Elsewhere(
        r"make storm( SEED=\d+| ONLY=live)?( ARGS=.*)?",
        ("tests/integration/test_kill.py::test_a_storm_loses_nothing_and_counts_nothing_twice",),
        "the same kills and checks, once each; it takes twenty minutes",
    ),
    Elsewhere(
        r"make demo( PYTHON=\S+)?( ARGS=.*)?|mela demo( .*)?",
        ("tests/integration/test_demo.py::test_every_step_of_the_demo_held",),
        "the fixture `platform` is `mela demo --offline`",
    ),
    Elsewhere(
        r"mela up .*--online.*",
        (
            "tests/stack/test_registry.py::test_an_offline_stack_is_taken_online_only_when_asked",
            "tests/stack/test_registry.py::test_a_start_keeps_the_market_of_the_last_one_and_says_so",
        ),
        "the tests' stack stays offline",
    ),
    Elsewhere(
        r"make setup PYTHON=\S+",
        ("tests/stack/test_python.py::test_another_python_that_is_named_replaces_the_environment",),
        "in a clone of the test's own",
    ),
    Elsewhere(
        r"make check",
        (
            "tests.yml: check",
            "tests/dags/test_parsing.py",
        ),
        "its three parts: lint, tests without services, dbt parse",
    ),
    Elsewhere(
        r"make (down|clean)|mela down",
        ("tests/delivery/test_copied_home.py::test_a_copied_home_goes_on_where_the_other_stood",),
        "`mela down` on a stack of the test's own; nobody pulls down the others' stack",
    ),
    Elsewhere(
        r'cp -a "\$\(\.venv/bin/mela home\)" \S+',
        ("tests/delivery/test_copied_home.py::test_a_copied_home_goes_on_where_the_other_stood",),
        "between `mela down` and a start from the copy",
    ),
    Elsewhere(
        r"make bench( ONLY=\w+)?",
        ("tests/benchmarks/test_engine.py", "tests/benchmarks/test_warehouse.py"),
        "what it measures is tried small; a whole run takes half an hour and is kept in results/",
    ),
    Elsewhere(r"make docs", ("tests.yml: check",), "builds the site"),
    Elsewhere(r"make lock", (), "asks the package registry what is newest, and rewrites the pins"),
    Elsewhere(
        r"mela compare( .*)?",
        (
            "tests/regression/test_compare.py"
            "::test_an_edited_strategy_moves_its_scenes_with_a_reason",
        ),
        "in a scratch repository with planted changes",
    ),
    Elsewhere(
        r"mela replay( .*)?",
        ("tests/cli/candles/test_load.py::test_trouble_is_ordered_on_the_command_line",),
        "it serves until it is stopped",
    ),
    Elsewhere(
        r"mela restate( .*)?",
        ("tests/cli/candles/test_load.py::test_a_candle_is_restated_and_asked_for_again",),
        "it changes what a replay tells all others",
    ),
    Elsewhere(
        r"mela --install-completion",
        ("tests/cli/test_completion.py::test_names_and_values_are_offered",),
        "it writes into the files of one's shell; what that then asks is executed",
    ),
    Elsewhere(
        r"mela watch (add\|)?(remove|list)(\|list)?",
        ("tests/cli/candles/test_quality.py::test_the_watch_list",),
        "its parts, in their order",
    ),
    Elsewhere(
        r"mela new strategy .*",
        (
            "tests/cli/strategies/test_new.py::test_a_new_strategy_is_clean_runs_and_passes_its_own_test",
        ),
        "it writes into a home of the test's own, and what it writes is executed there",
    ),
    Elsewhere(
        r"mela schedule (remove|list)",
        ("tests/cli/candles/test_quality.py::test_schedules",),
        "its parts, in their order",
    ),
    Elsewhere(
        r"mela airflow backfill create .*",
        (
            "tests/integration/test_demo.py"
            "::test_a_backfill_by_airflows_command_line_loads_its_day",
            "tests/dags/test_running.py::test_a_backfill_of_days_changes_nothing_the_second_time",
        ),
        "a day through `mela airflow`, a month by itself: a month here would last for minutes",
    ),
    Elsewhere(
        r"mela dbt docs generate --static",
        ("tests/integration/test_commands.py::test_psql_and_dbt_speak_to_this_warehouse",),
        "dbt takes its time for it",
    ),
    Elsewhere(
        r"MELA_ALERT_WEBHOOK=\S+ mela up",
        (
            "tests/dags/test_running.py::test_a_series_that_is_refused_fails_the_run_and_not_the_others",
        ),
        "with a webhook on loopback",
    ),
    Elsewhere(
        r"pip install --no-deps .*",
        ("tests/docs/test_installing.py::test_a_package_installed_as_the_page_says_is_known",),
        "in an environment of the test's own",
    ),
    Elsewhere(
        r"pre-commit install",
        ("tests/docs/test_installing.py::test_the_hooks_are_installed_into_a_clone",),
        "in a clone of the test's own, as it writes into .git",
    ),
)


def way_of(command: Command) -> str | None:
    """Return where a command is executed: alone, stack, files, elsewhere; None if nowhere."""
    if elsewhere(command) is not None:
        return "elsewhere"
    first, *rest = command.words.split()
    if first != "mela":
        return "files" if first in FILES else None
    for way, known in (("alone", ALONE), ("stack", STACK)):
        if rest and rest[0] in known:
            return way
    return None


def elsewhere(command: Command) -> Elsewhere | None:
    """Return the line of ELSEWHERE for a command."""
    for line in ELSEWHERE:
        if re.fullmatch(line.pattern, command.words, re.DOTALL):
            return line
    return None
