package faults

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edge-agent/edge-agent/order"
	"github.com/edge-agent/edge-agent/test/faults/lossy"
)

// exchange gives the agent, which does not run, another disk and starts it.
func (r *rig) exchange(d disk) {
	r.t.Helper()
	r.kill()
	r.disk.unmount(r.t)
	r.disk = d
	r.dir = d.mount(r.t)
	r.launch()
}

// readyOr waits until the agent is ready, and reports whether the power was cut first.
func (r *rig) readyOr(cut <-chan struct{}) (was bool) {
	r.t.Helper()
	r.until("the agent to be ready or its power to be cut", func() bool {
		select {
		case <-cut:
			was = true
			return true
		default:
		}
		var s struct{ State order.Life }
		_, err := r.get("/state", &s)
		return err == nil && s.State == order.Ready
	})
	return was
}

// cutEach starts the agent on a copy of a disk, over and over, cuts the power at each operation of the start in turn,
// and has ok look at what comes up from what is left.
func (r *rig) cutEach(base *lossy.Disk, mode lossy.Mode, ok func()) (cuts int) {
	r.t.Helper()
	for after := 1; ; after++ {
		d := &lossyDisk{Disk: base.Clone()}
		cut := d.CutAt(lossy.Cut{After: after, Mode: mode, Seed: uint64(after)})
		r.exchange(d)
		if !r.readyOr(cut) {
			ok()
			return after - 1
		}
		r.power()
		r.ready()
		ok()
	}
}

// modesHere are the modes of this run: what is slow cuts in one mode only, but under CI_LONG.
func modesHere() []lossy.Mode {
	if rounds(10) > 1 {
		return modes
	}
	return []lossy.Mode{lossy.Torn}
}

func TestFirstStartMayBeCutAtEachOfItsWrites(t *testing.T) {
	for _, mode := range modesHere() {
		t.Run(string(mode), func(t *testing.T) {
			r := newRig(t, newLossy())
			cuts := r.cutEach(lossy.New(), mode, func() {})
			if cuts < 10 {
				t.Errorf("a first start has %d operations, which is not likely", cuts)
			}
			t.Logf("%d cuts", cuts)
		})
	}
}

// TestCompactionMayBeCutAtEachOfItsWrites fills a journal with large events and has it pruned, so that the next start
// writes the file anew.
func TestCompactionMayBeCutAtEachOfItsWrites(t *testing.T) {
	d := newLossy()
	r := newRig(t, d)
	r.launch()
	r.ready()
	r.running("bulky", `{"kind":"counter","config":{},"inputs":[{"topic":"plant/n","id":{"json":"/seq"}}],`+
		`"outputs":[{"qos":0}]}`)
	sent := 0
	send := func(n, size int) {
		for range n {
			sent++
			if err := r.say("plant/n", false, fmt.Sprintf(`{"seq":%d,"x":"%s"}`, sent, strings.Repeat("x", size))); err != nil {
				t.Fatal(err)
			}
		}
	}
	counted := func() {
		t.Helper()
		r.until(fmt.Sprintf("%d events to be counted", sent), func() bool {
			var report order.Report
			status, err := r.get("/daemons/bulky", &report)
			return err == nil && status == http.StatusOK && report.Head != nil && report.Head.Sequence == uint64(sent)
		})
	}
	size := func() int64 {
		info, err := os.Stat(filepath.Join(r.dir, "state.db"))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	for range 18 { // an inbox takes 4 MiB
		send(20, 60_000)
		counted()
	}
	for range 2 { // the older of two snapshots is what pruning may come up to
		r.snapshot("bulky")
		send(20, 10)
		counted()
	}
	full := size()
	d.CutNow(lossy.Cut{Mode: lossy.Drop})
	r.kill()
	for _, mode := range modesHere() {
		cuts := r.cutEach(d.Disk, mode, counted)
		if now := size(); now > full/2 {
			t.Errorf("the file has %d bytes, and had %d: it was not compacted", now, full)
		}
		t.Logf("%s: %d cuts, %d bytes before and %d after", mode, cuts, full, size())
	}
}
