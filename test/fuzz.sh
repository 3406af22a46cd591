#!/usr/bin/env bash
# Fuzz every target: test/fuzz.sh SECONDS-EACH [SECONDS-TOGETHER]. With the second number each target gets its share of
# it where that is less.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

each=${1:?seconds for each target}
each=${each%s}
together=${2:-0}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

mapfile -t targets < <(grep -rEo '^func Fuzz[A-Za-z0-9_]*' --include='*_test.go' . |
  sed -E 's|^(.*)/[^/]*:func (.*)|\1 \2|' | sort)
if [ "$together" -gt 0 ] && [ ${#targets[@]} -gt 0 ]; then
  share=$((together / ${#targets[@]}))
  [ "$share" -lt "$each" ] && each=$share
fi

failed=0
for target in "${targets[@]}"; do
  read -r dir name <<<"$target"
  if go test "$dir" -run '^$' -fuzz "^$name\$" -fuzztime "${each}s" -fuzzminimizetime 2s -parallel 2 >"$log" 2>&1; then
    echo "ok    $dir $name: $(grep -Eo 'execs: [0-9]+' "$log" | tail -1), ${each} s"
  elif ! grep -q 'Failing input\|panic:\|\[build failed\]' "$log" && grep -q 'context deadline exceeded' "$log"; then
    echo "ok    $dir $name: the time ended in the middle of an input, ${each} s"
  else
    echo "FAIL  $dir $name"
    cat "$log"
    failed=$((failed + 1))
  fi
done
echo "fuzz: $((${#targets[@]} - failed)) of ${#targets[@]} targets held"
[ "$failed" -eq 0 ]
