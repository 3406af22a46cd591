#!/usr/bin/env bash
# Fuzz every target: test/fuzz.sh SECONDS-EACH [SECONDS-TOGETHER]. With the second number each target gets its share of
# it where that is less.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

each=${1:?seconds for each target}
each=${each%s}
together=${2:-0}
root=$PWD
bin=$root/bin/fuzz
log=$bin/log
mkdir -p "$bin/cache"

mapfile -t targets < <(grep -rEo '^func Fuzz[A-Za-z0-9_]*' --include='*_test.go' . |
  sed -E 's|^\./(.*)/[^/]*:func (.*)|\1 \2|' | sort)
if [ "$together" -gt 0 ] && [ ${#targets[@]} -gt 0 ]; then
  share=$((together / ${#targets[@]}))
  [ "$share" -lt "$each" ] && each=$share
fi

failed=0
built=""
for target in "${targets[@]}"; do
  read -r dir name <<<"$target"
  program=$bin/${dir//\//_}.test
  if [ "$dir" != "$built" ]; then
    go test -c -fuzz . -o "$program" "./$dir" || { failed=$((failed + 1)); continue; }
    built=$dir
  fi
  if (cd "$dir" && "$program" -test.run '^$' -test.fuzz "^$name\$" -test.fuzztime "${each}s" \
    -test.fuzzminimizetime 2s -test.fuzzcachedir "$bin/cache/${dir//\//_}" -test.parallel 2) >"$log" 2>&1; then
    echo "ok    $dir $name: $(grep -Eo 'execs: [0-9]+' "$log" | tail -1), ${each} s"
  elif ! grep -q 'Failing input\|panic:' "$log" && grep -q 'context deadline exceeded' "$log"; then
    echo "ok    $dir $name: the time ended in the middle of an input, ${each} s"
  else
    echo "FAIL  $dir $name"
    cat "$log"
    failed=$((failed + 1))
  fi
done
echo "fuzz: $((${#targets[@]} - failed)) of ${#targets[@]} targets held"
[ "$failed" -eq 0 ]
