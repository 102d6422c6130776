# Shared by scripts/demo, scripts/test and .ci/run. Source it; it changes to the top of the project.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Names of scripts/packages.txt in the groups given.
mz_packages() {
  local group
  for group in "$@"; do awk -v group="$group" '$1 == group { print $2 }' scripts/packages.txt; done
}

# Those of them that are not installed.
mz_missing() {
  local installed package
  installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' | awk '$1 == "ii" { print $2 }')
  for package in $(mz_packages "$@"); do
    grep -qxF "$package" <<< "$installed" || echo "$package"
  done
}

# Installs what is missing. No service is started: a policy-rc.d of our own is mounted over the machine's, in a mount
# namespace that ends with apt, so that nothing of it can be left behind. Nothing installed is removed.
mz_install() {
  local missing made=
  missing=$(mz_missing "$@")
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    echo "These packages are missing; only root can install them: $(echo $missing)" >&2
    return 1
  fi
  echo "Installing $(wc -w <<< "$missing") Debian packages ..." >&2
  [ -e /usr/sbin/policy-rc.d ] || { : > /usr/sbin/policy-rc.d; made=1; }
  local status=0
  MZ_MISSING="$missing" unshare --mount --propagation private bash -euc '
    policy=$(mktemp)
    printf "#!/bin/sh\nexit 101\n" > "$policy"
    chmod 755 "$policy"
    mount --bind "$policy" /usr/sbin/policy-rc.d
    rm -f "$policy"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q -o DPkg::Lock::Timeout=300 update
    apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends --no-remove install $MZ_MISSING' \
    > "${TMPDIR:-/tmp}/mailzone-apt.$$.log" 2>&1 || status=$?
  [ -z "$made" ] || rm -f /usr/sbin/policy-rc.d
  if [ "$status" -ne 0 ]; then
    tail -n 30 "${TMPDIR:-/tmp}/mailzone-apt.$$.log" >&2
    echo "The packages could not be installed; the whole log: ${TMPDIR:-/tmp}/mailzone-apt.$$.log" >&2
    return "$status"
  fi
  rm -f "${TMPDIR:-/tmp}/mailzone-apt.$$.log"
}

# mz_build PRESET [TARGET ...]: configures and builds into build/PRESET; quiet unless it fails or takes long.
mz_build() {
  local preset=$1 log
  shift
  mkdir -p "build/$preset"
  log="build/$preset/build.log"
  export CCACHE_BASEDIR="$PWD" CCACHE_NOHASHDIR=1
  if ! cmake --preset "$preset" > "$log" 2>&1; then
    cat "$log" >&2
    return 1
  fi
  # Without a terminal ninja prints a line per step: a dot line would hide which file hangs, so every 50th is shown.
  if ! cmake --build --preset "$preset" ${1:+--target "$@"} 2>&1 | tee -a "$log" |
      awk '/^\[[0-9]+\/[0-9]+\]/ { if (++n % 50 == 0) { print "  " $1; fflush() } }' >&2; then
    grep -E -A20 'FAILED|error:' "$log" >&2 || tail -n 40 "$log" >&2
    return 1
  fi
}
