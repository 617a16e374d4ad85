#!/usr/bin/env bash
# Run tests of this project on the Windows Python that setup.sh has made.
#
#   run_tests.sh FOLDER TESTS...
#
# Each of TESTS (a folder or file) gets its own pytest, which is killed after LIMIT seconds (default 120), with the
# processes that its tests left behind; a test ends after 60 seconds. The exit code is 1 unless pytest's summary of every
# run says that tests passed and none failed: a process killed under Wine exits with 0.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit
if [ $# -lt 2 ]; then sed -n '2,8s/^# \{0,1\}//p' tools/windows_under_wine/run_tests.sh; exit 2; fi
box=$(cd "$1" && pwd) || exit
shift
export WINPYTHON_CONSOLE=1
limit=${LIMIT:-120}
output=$(mktemp)
trap 'rm -f "$output"' EXIT
passed='^[0-9]+ passed(, [0-9]+ (skipped|deselected|xfailed|warnings?))* in [0-9.]+s'
failed=0

# The Wine server ends with its last process, and a program that starts at that moment fails. This process keeps the
# server running until this script ends, and with it the pipe. The server has started when its first line arrives; a
# server that a run started would keep that run's output open.
coproc keeper { exec "$box/bin/winpython" -c 'import sys; print(flush=True); sys.stdin.read()' 2>/dev/null; }
read -r -t 60 -u "${keeper[0]}" _ || { echo "the Windows Python does not start"; exit 1; }

# Kill what the run started. Children of a Windows process are no children of it here, but they inherit its environment,
# as do the Wine server and its services, which other runs in the same folder share.
kill_rest() {
    local process
    for process in /proc/[0-9]*; do
        grep -qzx "WINPYTHON_RUN=$1" "$process/environ" 2>/dev/null || continue
        case $(tr '\0' ' ' 2>/dev/null <"$process/cmdline") in
            *wineserver* | *[Ww]indows\\system32\\*) ;;
            *) kill -KILL "${process#/proc/}" 2>/dev/null ;;
        esac
    done
}

for tests in "$@"; do
    echo "-- $tests on Windows"
    run=$$-$RANDOM
    WINPYTHON_RUN=$run timeout --kill-after=5 "$limit" "$box/bin/winpython" -m pytest -q -p no:cacheprovider --tb=short \
        "$tests" >"$output" 2>&1
    code=$?
    kill_rest "$run"
    tr -d '\r' <"$output"
    [ "$code" -lt 124 ] || echo "$tests did not end within $limit seconds"
    if [ "$code" != 0 ] || ! tr -d '\r' <"$output" | tail -n 1 | grep -Eq "$passed"; then
        echo "$tests failed"
        failed=1
    fi
done
exit "$failed"
