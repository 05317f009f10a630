#!/bin/sh
# One program of the experiment in a container of its own: producer, app-1 or app-2. `quipu demo` starts the same
# programs, watches them and tells them when; here the clock does.
set -eu

name=$1
folder=$(mktemp -d)
case $name in
  producer) set -- producer --records "$RECORDS" --rate "$RATE" ;;
  app-1) set -- consumer --commit-interval 5 --ids "$folder/app-1.ids" ;;
  # It leaves without committing what it did last, which app-1 then does again.
  app-2) set -- consumer --commit-interval 5 --ids "$folder/app-2.ids" --careless ;;
esac
[ "$name" != app-2 ] || sleep "$JOIN_SECONDS"

# The program takes commands from its standard input, and ends when that does.
commands=$folder/commands
mkfifo "$commands"
quipu demo-child "$@" --instance="$name" --brokers="$BROKERS" --topic=records --group=apps --metrics=metrics \
  --report-interval=1 <"$commands" &
exec 3>"$commands"
trap 'echo stop >&3' TERM INT
case $name in
  producer) echo "limit $RECORDS" >&3 ;;
  app-2) sleep "$STAY_SECONDS" && echo stop >&3 ;;
esac
# A signal ends the first wait, not the program.
wait $! || wait $!
