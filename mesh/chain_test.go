package mesh

import (
	"bytes"
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/quick"
)

// goldenChain is one chain of testdata/chains.txt.
type goldenChain struct {
	fleet    string
	daemon   DaemonID
	entity   string
	origin   uint64
	observed []Origin
	horizon  uint64
	payloads [][]byte
	links    []string
	next     uint64
	forkAt   uint64
	fork     uint64
}

func goldenChains(t *testing.T) []goldenChain {
	t.Helper()
	text, err := os.ReadFile("testdata/chains.txt")
	if err != nil {
		t.Fatal(err)
	}
	word := func(s string, base int) uint64 {
		n, err := strconv.ParseUint(s, base, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	var chains []goldenChain
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] == "#" {
			continue
		}
		if f[0] == "daemon" {
			chains = append(chains, goldenChain{fleet: f[1], daemon: DaemonID(f[2])})
			continue
		}
		c := &chains[len(chains)-1]
		switch f[0] {
		case "entity":
			c.entity = f[1]
		case "origin":
			c.origin = word(f[1], 16)
		case "observed":
			c.observed = append(c.observed, Origin(word(f[1], 16)))
		case "horizon":
			c.horizon = word(f[1], 16)
		case "event":
			payload, err := hex.DecodeString(strings.Trim(f[1], "-"))
			if err != nil {
				t.Fatal(err)
			}
			c.payloads, c.links = append(c.payloads, payload), append(c.links, f[2])
		case "next":
			c.next = word(f[1], 16)
		case "fork":
			c.forkAt, c.fork = word(f[1], 10), word(f[2], 16)
		}
	}
	return chains
}

func TestChainAgreesWithFiguresComputedElsewhere(t *testing.T) {
	chains := goldenChains(t)
	if len(chains) != 4 {
		t.Fatalf("%d chains", len(chains))
	}
	for _, c := range chains {
		t.Run(c.fleet+" "+string(c.daemon), func(t *testing.T) {
			if entity := Entity(c.fleet, c.daemon); hex.EncodeToString(entity[:]) != c.entity {
				t.Errorf("entity %x, want %s", entity, c.entity)
			}
			origin := OriginOf(c.fleet, c.daemon)
			if uint64(origin) != c.origin {
				t.Errorf("origin %x, want %x", origin, c.origin)
			}
			horizon := NewObserver(c.observed).Horizon()
			if uint64(horizon) != c.horizon {
				t.Errorf("horizon %x, want %x", horizon, c.horizon)
			}
			chain := NewChain(origin, 1, 0)
			for i, payload := range c.payloads {
				link := chain.Append(payload, horizon)
				if got := hex.EncodeToString(link.Append(nil)); got != c.links[i] {
					t.Errorf("link %d: %s, want %s", i+1, got, c.links[i])
				}
			}
			if next := chain.Head().Next; next != c.next {
				t.Errorf("next parent %x, want %x", next, c.next)
			}
			if fork := ForkParent(origin, c.forkAt); fork != c.fork {
				t.Errorf("fork parent %x, want %x", fork, c.fork)
			}
		})
	}
}

// Each hash is what Debian's xxhsum prints for the command.
func TestHashesAgreeWithXxhsum(t *testing.T) {
	large := NewChain(1, 0, 0)
	large.Append(bytes.Repeat([]byte("a"), 5000), 0)
	for command, c := range map[string]struct{ got, want uint64 }{
		`printf 'plant/+/temperature' | xxhsum -H3`: {
			uint64(TopicOrigin("plant/+/temperature")), 0x64cadd39e9e7c470,
		},
		`(printf '\1'; head -c 31 /dev/zero) | xxhsum -H3`: {
			NewChain(1, 0, 0).Head().Next, 0x20310e8b73fee882,
		},
		`printf '\7\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0fork' | xxhsum -H3`: {
			ForkParent(7, 2), 0xf0d8b9aca195d6cb,
		},
		// the link of the first event (its parent is the hash of the genesis above), then 5000 times an a
		`(printf '\1'; head -c 15 /dev/zero; printf '\1'; head -c 7 /dev/zero
			printf '\x82\xe8\xfe\x73\x8b\x0e\x31\x20'; head -c 5000 /dev/zero | tr '\0' a) | xxhsum -H3`: {
			large.Head().Next, 0x443580188a54dc46,
		},
	} {
		if c.got != c.want {
			t.Errorf("%s: %016x, want %016x", command, c.got, c.want)
		}
	}
}

// printf '\1\0\0\0\0\0\0\0' | xxhsum -H3 prints 2fbc593564db792e,
// whose low half gives the first bit and whose high half the step.
func TestHorizonBits(t *testing.T) {
	const hash = 0x2fbc593564db792e
	first, step := uint32(hash&0xffffffff), uint32(hash>>32)|1
	var want Horizon
	for i := range uint32(3) {
		want |= 1 << ((first + i*step) % 64)
	}
	if got := Horizon(0).Add(1); got != want {
		t.Errorf("%064b, want %064b", got, want)
	}
}

func TestHorizonNeverForgets(t *testing.T) {
	if err := quick.Check(func(origins []Origin, other Origin) bool {
		var h Horizon
		for _, o := range origins {
			h = h.Add(o)
		}
		for _, o := range origins {
			if !h.MayHave(o) {
				return false
			}
		}
		return h.Add(other).MayHave(other)
	}, nil); err != nil {
		t.Error(err)
	}
}

func TestObserverRemembersSoMany(t *testing.T) {
	o := NewObserver(nil)
	for i := range Origin(MaxObserved + 10) {
		o.Observe(i)
		o.Observe(i)
		o.Observe(0)
	}
	full := o.Horizon()
	o.Observe(1 << 40)
	if got := len(o.Origins()); got != MaxObserved || o.Horizon() != full {
		t.Errorf("%d origins, horizon %x then %x", got, full, o.Horizon())
	}
	if again := NewObserver(o.Origins()); again.Horizon() != full {
		t.Errorf("horizon %x after a restart, want %x", again.Horizon(), full)
	}
}

func TestChainGoesOnFromItsHeadAndBack(t *testing.T) {
	whole, parts := NewChain(7, 2, 1), NewChain(7, 2, 1)
	for i := range 50 {
		payload := make([]byte, i*i)
		head := parts.Head()
		parts.Append([]byte("discarded"), 0)
		parts.Rewind(head)
		parts = ResumeChain(parts.Head())
		if a, b := whole.Append(payload, 3), parts.Append(payload, 3); a != b {
			t.Fatalf("event %d: %+v, then %+v", i, a, b)
		}
	}
	if whole.Head() != parts.Head() || whole.Head().Epoch != 2 || whole.Head().Incarnation != 1 {
		t.Errorf("heads %+v, %+v", whole.Head(), parts.Head())
	}
}

func TestChainAppendAllocatesNothing(t *testing.T) {
	c := NewChain(1, 1, 0)
	for _, size := range []int{0, 64, smallPayload, smallPayload + 1, MaxPayload} {
		payload := make([]byte, size)
		c.Append(payload, 0)
		if n := testing.AllocsPerRun(100, func() { c.Append(payload, 0) }); n != 0 {
			t.Errorf("%d bytes: %v allocations", size, n)
		}
	}
}

func TestParseLinkRefusesAnotherSize(t *testing.T) {
	for _, n := range []int{0, LinkSize - 1, LinkSize + 1} {
		if _, err := ParseLink(make([]byte, n)); err == nil {
			t.Errorf("%d bytes accepted", n)
		}
	}
}

func BenchmarkChainAppend(b *testing.B) {
	for _, size := range []int{16, 256, 4096, MaxPayload} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			c, payload := NewChain(1, 1, 0), make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				c.Append(payload, 0)
			}
		})
	}
}
