# Runs one test program in many orders, for maestro_cargo.sh: each in a process of its own that finds the tree at MAESTRO_CARGO_TREE as the
# first found it, an empty place for what is temporary, and nobody who runs beside it. Below MAESTRO_CARGO_RECORDS:
#   orders          a line for each order that was run: its number, the exit status
#   N.order, N.err  what the tests of order N said of themselves, and what was printed
# It ends behind an order in which a test failed or none ended, and where what an order left cannot be undone.
records=$MAESTRO_CARGO_RECORDS
tree=$MAESTRO_CARGO_TREE
here=$(pwd)
limit=${MAESTRO_CARGO_LIMIT:-120}
several=
[ "$(wc -l <"$MAESTRO_CARGO_ORDERS")" -eq 1 ] || several=1

# By the time of its last change, which nobody can set, a file is known to be as it was.
state() {
    find "$tree" -printf '%p %y %i %m %s %C@\n' 2>/dev/null
}
if [ -n "$several" ]; then
    # Without processes of our own alone to see, whatever is killed would be somebody else's.
    read -r first </proc/1/comm
    [ "$first" = bwrap ] || exit 1
    mkdir "$records/whole" && cp -a "$tree/." "$records/whole/" && state >"$records/state" || exit 1
    kept=" $(echo /proc/[0-9]*) "
fi

# What runs now and did not run before; a process that is being counted is one of ours.
strays() {
    found=
    for process in /proc/[0-9]*; do
        case $kept in
        *" $process "*) ;;
        *) [ ! -e "$process/exe" ] || found="$found ${process#/proc/}" ;;
        esac
    done
    [ -n "$found" ]
}

undo() {
    turn=0
    while strays; do
        turn=$((turn + 1))
        [ "$turn" -lt 200 ] || return 1
        # shellcheck disable=SC2086 # they are numbers
        kill -KILL $found 2>/dev/null
    done
    find /tmp /dev/shm /home/heal -mindepth 1 -xdev -depth -delete 2>/dev/null
    state >"$records/now"
    if ! cmp -s "$records/state" "$records/now"; then
        find "$tree" -mindepth 1 -depth -delete 2>/dev/null
        cp -a "$records/whole/." "$tree/" || return 1
        cd "$here" || return 1
        state >"$records/state"
    fi
}

number=0
while read -r MAESTRO_ROUNDS MAESTRO_ORDER; do
    number=$((number + 1))
    MAESTRO_ORDER_RECORDS=$records/$number.order
    export MAESTRO_ROUNDS MAESTRO_ORDER MAESTRO_ORDER_RECORDS
    timeout "$limit" "$@" >/dev/null 2>"$records/$number.err" </dev/null
    status=$?
    echo "$number $status" >>"$records/orders"
    [ "$status" -eq 0 ] && [ -e "$MAESTRO_ORDER_RECORDS" ] && ! grep -q ' 1$' "$MAESTRO_ORDER_RECORDS" || break
    [ -z "$several" ] || undo || break
done <"$MAESTRO_CARGO_ORDERS"
exit 0
