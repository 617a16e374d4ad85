#!/usr/bin/env bash
# Run tests of this project on the Windows Python that setup.sh has made.
#
#   run_tests.sh FOLDER TESTS...
#
# Each of TESTS (a folder or file) gets its own pytest, which is killed after LIMIT seconds (default 120), and a test ends
# after 60 seconds. The last line printed for each is pytest's summary. The exit code is 1 if any run failed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit
if [ $# -lt 2 ]; then sed -n '2,7s/^# \{0,1\}//p' tools/windows_under_wine/run_tests.sh; exit 2; fi
box=$(cd "$1" && pwd) || exit
shift
export WINPYTHON_CONSOLE=1 WINEPREFIX=$box/prefix
failed=0

# The Wine server ends with its last process, and a program that starts at that moment fails.
sleep infinity | "$box/bin/winpython" -c 'input()' &
keeper=$!
trap 'kill $keeper $(jobs -p) 2>/dev/null; wineserver -k 2>/dev/null || /usr/lib/wine/wineserver -k' EXIT

for tests in "$@"; do
    echo "-- $tests on Windows"
    timeout --kill-after=5 "${LIMIT:-120}" "$box/bin/winpython" -m pytest -q -p no:cacheprovider --tb=short "$tests"
    code=$?
    [ "$code" = 0 ] || failed=1
    [ "$code" -lt 124 ] || echo "$tests did not end within ${LIMIT:-120} seconds"
done
exit "$failed"
