# What cargo calls in place of a test program (https://doc.rust-lang.org/cargo/reference/config.html#targettriplerunner), with
# the program and its arguments: runs it as cargo would, and, where that fails, each of its tests by itself. How a test
# ended is its exit status; nothing that is printed decides. Below MAESTRO_CARGO_RECORDS, in a directory for each program:
#   program     its path
#   list        its tests, as `--list --format terse` has them
#   ignored     those of them that are not run unless asked for
#   together    a line for each run of all of them: the exit status
#   alone       a line for each test that was run by itself: the exit statuses, then its name
#   N.out N.err what the test of line N of `alone` printed; `all.out`, `all.err` likewise
# MAESTRO_CARGO_LIMIT=N: how many seconds all tests together may take, and four tests one by one; status 124 is for those
# that do not end. MAESTRO_CARGO_TOGETHER=1: no test is run by itself. MAESTRO_CARGO_APART=1: each is, and all of them together are not, as
# nextest does it. MAESTRO_CARGO_AGAIN=N: what passes is run N times more, within seconds. MAESTRO_CARGO_DEFECTS="N N": what passes is run
# once with each of these defects switched on, until four were noticed; `defects` has a line for each: its number, the exit status.
# MAESTRO_CARGO_ORDERS=FILE: the program is run once for each line of it, rounds and an order, and nothing else is done: maestro_orders.sh.
if [ -n "$MAESTRO_CARGO_ORDERS" ]; then
    . "${0%/*}/maestro_orders.sh"
fi
program=$1
shift
place=$MAESTRO_CARGO_RECORDS/${program##*/}
mkdir -p "$place"
limit=${MAESTRO_CARGO_LIMIT:-120}
printf '%s' "$program" >"$place/program"

# Names that arguments pick tests by are for the list: a test that is run by itself has one of its own.
filters=
count=$#
while [ "$count" -gt 0 ]; do
    argument=$1
    shift
    count=$((count - 1))
    case $argument in
    --exact) exact=--exact ;;
    --skip | --test-threads | --color | --format | --logfile | -Z | --shuffle-seed)
        if [ "$count" -gt 0 ]; then
            set -- "$@" "$argument" "$1"
            shift
            count=$((count - 1))
        fi
        ;;
    -*) set -- "$@" "$argument" ;;
    *)
        filters="$filters
$argument"
        ;;
    esac
done
# The options in front of the filters; a filter may hold anything but the end of a line.
with_filters() {
    if [ -n "$filters" ]; then
        while IFS= read -r filter; do
            [ -z "$filter" ] || set -- "$@" "$filter"
        done <<END
$filters
END
    fi
    timeout "$limit" "$program" ${exact:+"$exact"} "$@"
}

with_filters "$@" --list --format terse >"$place/list" 2>/dev/null </dev/null || echo 1 >"$place/unlisted"
with_filters "$@" --list --ignored --format terse >"$place/ignored" 2>/dev/null </dev/null

apart=
[ -z "$MAESTRO_CARGO_APART" ] || [ -e "$place/unlisted" ] || apart=1
status=0
if [ -z "$apart" ]; then
    began=$(date +%s)
    again=${MAESTRO_CARGO_AGAIN:-0}
    while :; do
        with_filters "$@" >"$place/all.out" 2>"$place/all.err" </dev/null
        status=$?
        echo "$status" >>"$place/together"
        [ "$status" -eq 0 ] && [ "$again" -gt 0 ] && [ $(($(date +%s) - began)) -lt 3 ] || break
        again=$((again - 1))
    done
    if [ "$status" -eq 0 ]; then
        limit=$((5 * ($(date +%s) - began) + 2))
        noticed=0
        for defect in $MAESTRO_CARGO_DEFECTS; do
            [ "$noticed" -lt 4 ] || break
            MAESTRO_DEFECT=$defect
            export MAESTRO_DEFECT
            with_filters "$@" >/dev/null 2>&1 </dev/null
            caught=$?
            echo "$defect $caught" >>"$place/defects"
            [ "$caught" -eq 0 ] || noticed=$((noticed + 1))
        done
    fi
    if [ "$status" -eq 0 ] || [ -n "$MAESTRO_CARGO_TOGETHER" ]; then
        exit "$status"
    fi
fi

number=0
while IFS= read -r line; do
    case $line in
    *': test') name=${line%: test} ;;
    *) continue ;;
    esac
    if grep -Fxq -- "$line" "$place/ignored"; then
        case " $* " in
        *' --include-ignored '* | *' --ignored '*) ;;
        *) continue ;;
        esac
    fi
    number=$((number + 1))
    timeout "$((limit / 4 + 1))" "$program" "$@" --exact "$name" --nocapture >"$place/$number.out" 2>"$place/$number.err" </dev/null
    first=$?
    second=$first
    # What fails by itself once and passes then depends on something that nobody gave it.
    if [ "$first" -ne 0 ] && [ "$first" -ne 124 ]; then
        "$program" "$@" --exact "$name" >/dev/null 2>&1 </dev/null
        second=$?
    fi
    printf '%s %s %s\n' "$first" "$second" "$name" >>"$place/alone"
    if [ "$first" -eq 0 ]; then rm -f "$place/$number.out" "$place/$number.err"; else status=$first; fi
done <"$place/list"
exit "$status"
