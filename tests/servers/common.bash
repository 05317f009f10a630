# Shared by the scripts of the sinks' targets, which source it. Each script starts a server of a Debian package on free
# ports of 127.0.0.1, in a temporary directory:
#
#   tests/servers/NAME run      starts it, prints "ready ADDRESS…", and serves until its standard input ends
#   tests/servers/NAME check    checks whether the server is installed
#
# While `run` serves, it reads commands from standard input, one per line, and answers each with a line:
#   kill      kills the server with SIGKILL                                -> "killed"
#   start     starts it again with the same data and addresses             -> "ready ADDRESS…"
#   hang      stops its process: it accepts connections and never answers  -> "hung"
#   resume    resumes its process                                          -> "resumed"
# The server and its directory live as long as the process at the other end of standard input, however that process
# ends.
# At a terminal, Ctrl-D or Ctrl-C ends them.
#
# Exit status: 3 if the server is not installed (stderr has the reason), 1 if it fails.
#
# A script sets `name`, `package` and `program`, and defines two functions: `settings` writes files to $dir and sets
# `addresses`, the first of which must answer when the server is ready; `launch` replaces the shell by the server.

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

# Prints the first of $1 free consecutive ports. Ports above 32767 are not used, because they are given to clients, and
# a restarted server could find its port taken.
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
  [[ -z $server_pid ]] || fail "it is running already"
  # With --pdeathsig the kernel kills the server if this script is killed.
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

# Replaces the calling subshell by a server that ends with the script.
with_parent() {
  if command -v setpriv >/dev/null; then
    exec setpriv --pdeathsig KILL "$@"
  fi
  exec "$@"
}

# The data is deleted afterwards, so the server need not shut down cleanly.
end_server() {
  [[ -n $server_pid ]] || return 0
  kill -KILL "$server_pid" 2>/dev/null || explain "it ended unexpectedly"
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
