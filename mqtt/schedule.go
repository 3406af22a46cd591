package mqtt

import (
	"time"

	"github.com/edge-agent/edge-agent/mesh"
)

// pageRows is how many rows are read from the outbox at a time.
const pageRows = 64

// schedule decides which row of the outbox goes next on one connection. Every row goes once, and those of one daemon
// in order. A daemon that had rows waiting when the connection began is behind: its rows go at a bounded rate, after
// those of all others, until it has caught up.
//
// Two readers walk the outbox. live begins at the end and passes over daemons that are behind; old begins at the front,
// never overtakes live, and takes what live passed over. When nothing is left between them, nobody is behind.
type schedule struct {
	box    Outbox
	rate   bucket
	behind map[mesh.DaemonID]bool
	ready  bool   // the outbox was looked through, behind and border are known
	border Cursor // the last row of the backlog
	live   reader
	old    reader
}

type reader struct {
	after Cursor // the last row taken
	page  []Row  // read and not yet taken
}

// peek returns the oldest row not yet taken.
func (r *reader) peek(box Outbox) (*Row, error) {
	if len(r.page) == 0 {
		page, err := box.Next(r.after, pageRows)
		if err != nil || len(page) == 0 {
			return nil, err
		}
		r.page = page
	}
	return &r.page[0], nil
}

func (r *reader) take() Row {
	row := r.page[0]
	r.page, r.after = r.page[1:], row.At
	return row
}

func newSchedule(box Outbox, rate int) *schedule {
	return &schedule{box: box, rate: bucket{rate: float64(rate)}, behind: map[mesh.DaemonID]bool{}}
}

// survey looks through a page of the backlog. It must be called until ready before anything is sent.
func (s *schedule) survey() error {
	page, err := s.box.Next(s.border, pageRows)
	if err != nil {
		return err
	}
	for i := range page {
		s.behind[page[i].Daemon] = true
		s.border = page[i].At
	}
	if len(page) < pageRows {
		s.ready, s.live.after = true, s.border
	}
	return nil
}

// next returns the row to send now; without one, wait says when to ask again, 0 meaning when there are new rows.
func (s *schedule) next(now time.Time) (row Row, ok bool, wait time.Duration, err error) {
	for {
		r, err := s.live.peek(s.box)
		if err != nil {
			return Row{}, false, 0, err
		}
		if r == nil {
			break
		}
		if row = s.live.take(); !s.behind[row.Daemon] {
			return row, true, 0, nil
		}
	}
	for len(s.behind) > 0 {
		r, err := s.old.peek(s.box)
		if err != nil {
			return Row{}, false, 0, err
		}
		if r == nil || s.live.after.Less(r.At) {
			clear(s.behind)
			s.old = reader{}
			break
		}
		if !s.behind[r.Daemon] {
			s.old.take()
			continue
		}
		if !s.border.Less(r.At) {
			if wait := s.rate.take(now); wait > 0 {
				return Row{}, false, wait, nil
			}
		}
		return s.old.take(), true, 0, nil
	}
	return Row{}, false, 0, nil
}

// bucket lets things through at a rate a second, with bursts of a tenth of a second. No rate lets everything through.
type bucket struct {
	rate   float64
	tokens float64
	at     time.Time
}

// take uses a token, or says how long until there is one.
func (b *bucket) take(now time.Time) time.Duration {
	if b.rate <= 0 {
		return 0
	}
	burst := max(1, b.rate/10)
	if b.at.IsZero() {
		b.tokens = burst
	} else if d := now.Sub(b.at); d > 0 {
		b.tokens = min(burst, b.tokens+b.rate*d.Seconds())
	}
	b.at = now
	if b.tokens >= 1 {
		b.tokens--
		return 0
	}
	return max(time.Millisecond, time.Duration((1-b.tokens)/b.rate*float64(time.Second)))
}
