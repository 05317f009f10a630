# What the scripts of the sinks' targets share; they source it. Each starts a server of a Debian package on free ports of
# 127.0.0.1 and a temporary directory:
#
#   tests/servers/NAME run      starts it, prints "ready ADDRESS…", and serves until its standard input ends
#   tests/servers/NAME check    says whether it can be had here
#
# While `run` serves, it takes a line at a time from standard input and answers each with a line:
#   kill      ends the server with SIGKILL, as a crash would               -> "killed"
#   start     starts it again on the same data and the same addresses      -> "ready ADDRESS…"
#   hang      stops its process, so that it takes connections and is dumb  -> "hung"
#   resume    lets it go on                                                -> "resumed"
# Whoever holds the other end of standard input owns the server: when that process is gone, in whatever way, so are the
# server and its directory. At a terminal, Ctrl-D or Ctrl-C ends it.
#
# Exit status: 3 when the server cannot be had here (stderr says why), 1 when it fails.
#
# A script sets `name`, `package` and `program`, and defines `settings`, which writes files to $dir and sets `addresses`,
# of which the first is asked until it answers, and `launch`, which replaces the shell by the server.

readonly start_timeout=30
server_pid='' dir='' addresses=()

main() {
  case "${1:-}" in
    check) require ;;
    run)
      shift
      run "$@"
      ;;
    *)
      echo "usage: $0 check | run" >&2
      exit 2
      ;;
  esac
}

require() {
  command -v "$program" >/dev/null || {
    echo "$name: no $program: install it (Debian: apt-get install $package)" >&2
    exit 3
  }
}

run() {
  require
  dir=$(mktemp -d "${TMPDIR:-/tmp}/quipu-$name.XXXXXX")
  trap 'end_server; rm -rf "$dir"' EXIT
  trap 'exit 130' INT TERM HUP
  settings "$@"
  start_server

  local command
  while read -r command; do
    case "$command" in
      kill)
        end_server
        echo killed
        ;;
      start) start_server ;;
      hang) kill -STOP "$server_pid" && echo hung ;;
      resume) kill -CONT "$server_pid" && echo resumed ;;
      *) fail "no such command: $command" ;;
    esac
  done
}

# Prints the first of so many ports in a row that are free. Ports above 32767 are handed out to clients, so a restarted
# server could find its own taken.
free_ports() {
  local candidate port
  while :; do
    candidate=$((20000 + (RANDOM * 32768 + RANDOM) % 12700))
    for ((port = candidate; port < candidate + $1; port++)); do
      answers "127.0.0.1:$port" && continue 2
    done
    break
  done
  echo "$candidate"
}

answers() {
  (: <"/dev/tcp/${1%:*}/${1##*:}") 2>/dev/null
}

start_server() {
  [[ -z $server_pid ]] || fail "it runs already"
  # The kernel kills the server if this script is killed and can't do it itself.
  (launch) </dev/null >>"$dir/log" 2>&1 &
  server_pid=$!
  local deadline=$((SECONDS + start_timeout))
  until answers "${addresses[0]}"; do
    kill -0 "$server_pid" 2>/dev/null || fail "it did not start"
    ((SECONDS < deadline)) || fail "it did not answer within $start_timeout s"
    sleep 0.05
  done
  echo "ready ${addresses[*]}"
}

# Replaces the calling subshell by a server that does not outlive the script.
with_parent() {
  if command -v setpriv >/dev/null; then
    exec setpriv --pdeathsig KILL "$@"
  fi
  exec "$@"
}

# Its data is thrown away, so it need not shut down in order.
end_server() {
  [[ -n $server_pid ]] || return 0
  kill -KILL "$server_pid" 2>/dev/null || explain "it ended by itself"
  wait "$server_pid" 2>/dev/null || true
  server_pid=
}

fail() {
  explain "$*"
  exit 1
}

explain() {
  echo "$name: $*; the end of its log:" >&2
  tail -n 20 "$dir/log" 2>/dev/null | sed 's/^/  /' >&2
}
