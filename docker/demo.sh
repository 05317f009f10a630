#!/bin/sh
# Runs one program of the experiment in a container of its own: producer, app-1 or app-2. `quipu demo` starts the same
# programs and controls them by the progress of the experiment; this script controls them by the clock.
set -eu

name=$1
folder=$(mktemp -d)
case $name in
  producer) set -- producer --records "$RECORDS" --rate "$RATE" ;;
  app-1) set -- consumer --commit-interval 5 --ids "$folder/app-1.ids" ;;
  # app-2 leaves without committing the offsets of its last records, so app-1 processes them again.
  app-2) set -- consumer --commit-interval 5 --ids "$folder/app-2.ids" --skip-last-commit ;;
esac
[ "$name" != app-2 ] || sleep "$JOIN_SECONDS"

# The program reads commands from its standard input, and ends at the end of the input.
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
# A signal ends only the first wait; the second one waits for the program.
wait $! || wait $!
