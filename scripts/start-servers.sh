#!/usr/bin/env bash
# Start the servers that the tests need where nothing listens on their ports, and say what was done.
# What cannot be started is left to the tests, which fail by its name; so this always ends with 0.
# A server that was started is left running, in a session of its own.
#
#   POSTGRESQL_PORT, MARIADB_PORT, REDIS_PORT, NATS_PORT   where they are to listen
#   SERVERS_FOLDER                                         data, logs and process ids of what is
#                                                          started here
#   SERVERS_PATIENCE                                       seconds that each one has to come up
set -uo pipefail

postgresql_port=${POSTGRESQL_PORT:-5432}
mariadb_port=${MARIADB_PORT:-3306}
redis_port=${REDIS_PORT:-6379}
nats_port=${NATS_PORT:-4222}
patience=${SERVERS_PATIENCE:-60}
base=${HOME:-/tmp}/.local/state/nexus-test-servers
[ "$(id -u)" != 0 ] || base=/var/lib/nexus-test-servers
base=${SERVERS_FOLDER:-$base}
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

listens() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# The account a server runs as: its own if we may choose, else ours.
account() {
    if [ "$(id -u)" = 0 ] && id "$1" >/dev/null 2>&1; then echo "$1"; else id -un; fi
}

# as ACCOUNT COMMAND...: in a session of its own, without this script's input and output; replaces
# the shell, so that its process is the command's.
as() {
    local user=$1
    shift
    if [ "$user" != "$(id -un)" ]; then
        set -- setpriv --reuid="$user" --regid="$(id -gn "$user")" --init-groups "$@"
    fi
    cd / || exit 1
    exec setsid --wait "$@" </dev/null >>"$base/$name.log" 2>&1
}

# begin NAME ACCOUNT COMMAND...: in the background.
begin() {
    local name=$1 user=$2
    shift 2
    (as "$user" "$@") &
    echo $! >"$base/$name.pid"
    echo "$name: nothing listens on its port; starting $*"
}

# folder NAME ACCOUNT: a folder for its data, which nobody else may enter.
folder() {
    mkdir -p "$base/$1" && chown "$2" "$base/$1" && chmod 700 "$base/$1"
}

# work NAME ACCOUNT COMMAND...: wait for a step of the preparations.
work() {
    local name=$1 user=$2
    shift 2
    (as "$user" timeout --foreground "$patience" "$@")
}

# arrive NAME PORT: wait until it listens, or has given up.
arrive() {
    local name=$1 port=$2 process
    local deadline=$((SECONDS + patience))
    process=$(cat "$base/$name.pid" 2>/dev/null)
    while ! listens "$port"; do
        if [ -n "$process" ] && ! kill -0 "$process" 2>/dev/null; then
            echo "$name: it ended without listening on $port; its log is $base/$name.log"
            return 1
        fi
        if [ "$SECONDS" -ge "$deadline" ]; then
            echo "$name: it does not listen on $port after $patience s; its log is $base/$name.log"
            return 1
        fi
        sleep 0.2
    done
    echo "$name: listens on $port"
}

start_postgresql() {
    local name=postgresql port=$postgresql_port user version cluster programs
    user=$(account postgres)
    read -r version cluster < <(
        pg_lsclusters --no-header 2>/dev/null | awk -v port="$port" '$3 == port { print $1, $2 }'
    )
    if [ -n "${cluster:-}" ]; then
        echo "$name: nothing listens on its port; starting the cluster $version/$cluster"
        rm -f "$base/$name.pid"
        work "$name" "$(id -un)" pg_ctlcluster "$version" "$cluster" start
        arrive "$name" "$port"
        return
    fi
    programs=$(find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1)
    programs=$(dirname "${programs:-$(command -v initdb)}")
    if [ ! -x "$programs/postgres" ]; then
        echo "$name: nothing listens on $port, and no postgres and initdb are installed"
        return
    fi
    folder "$name" "$user" || return
    if [ ! -f "$base/$name/PG_VERSION" ]; then
        work "$name" "$user" "$programs/initdb" -D "$base/$name" -U postgres -A trust -E UTF8 --locale=C
    fi
    begin "$name" "$user" "$programs/postgres" -D "$base/$name" -p "$port" \
        -c listen_addresses=127.0.0.1 -c unix_socket_directories=
    arrive "$name" "$port" || return
    work "$name" "$user" "$programs/createdb" -h 127.0.0.1 -p "$port" -U postgres test
}

start_mariadb() {
    local name=mariadb port=$mariadb_port user configured data
    user=$(account mysql)
    if ! command -v mariadbd >/dev/null; then
        echo "$name: nothing listens on $port, and no mariadbd is installed"
        return
    fi
    configured=$(my_print_defaults --mysqld 2>/dev/null | sed -n 's/^--port=//p' | tail -n 1)
    data=$(my_print_defaults --mysqld 2>/dev/null | sed -n 's/^--datadir=//p' | tail -n 1)
    data=${data:-/var/lib/mysql}
    # The machine's own data, if its server is meant and we may be its account.
    if [ "${configured:-3306}" = "$port" ] && [ -d "$data/mysql" ] && [ -w "$data" ]; then
        if [ "$(id -u)" = 0 ]; then install -d -o "$user" /run/mysqld; fi
        begin "$name" "$user" mariadbd
        arrive "$name" "$port"
        return
    fi
    folder "$name" "$user" || return
    if [ ! -d "$base/$name/mysql" ]; then
        work "$name" "$user" mariadb-install-db --no-defaults --datadir="$base/$name" \
            --auth-root-authentication-method=normal
    fi
    begin "$name" "$user" mariadbd --no-defaults --datadir="$base/$name" --tmpdir="$base/$name" --port="$port" \
        --bind-address=127.0.0.1 --skip-name-resolve --character-set-server=utf8mb4 \
        --socket="$base/$name/mysqld.sock" --pid-file="$base/$name/pid"
    arrive "$name" "$port"
}

start_redis() {
    local name=redis port=$redis_port user
    user=$(account redis)
    if ! command -v redis-server >/dev/null; then
        echo "$name: nothing listens on $port, and no redis-server is installed"
        return
    fi
    folder "$name" "$user" || return
    begin "$name" "$user" redis-server --bind 127.0.0.1 --port "$port" --dir "$base/$name" \
        --daemonize no
    arrive "$name" "$port"
}

start_nats() {
    local name=nats port=$nats_port user
    user=$(account nats)
    if ! command -v nats-server >/dev/null; then
        echo "$name: nothing listens on $port, and no nats-server is installed"
        return
    fi
    folder "$name" "$user" || return
    begin "$name" "$user" nats-server -a 127.0.0.1 -p "$port" -js -sd "$base/$name"
    arrive "$name" "$port"
}

for name in postgresql mariadb redis nats; do
    port=${name}_port
    if listens "${!port}"; then
        echo "$name: listens on ${!port} already"
    elif mkdir -p "$base" && chmod 755 "$base"; then
        "start_$name"
    fi
done
exit 0
