// Package bench measures the loop beside the program that people write without it: Go channels, with a goroutine for
// each daemon.
//
// Both sides do the same work in turns in one process: they find the daemon by topic, hand it an event, and link and
// hash what it emits. Only the loop can be handed events in bursts; where it was, the row says so. What a figure means
// is left to the reader; ratios travel between machines better than times.
package bench

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"
)

// Options say how long to measure; the zero value takes about a minute on an idle machine.
type Options struct {
	Rounds   int           // 5 turns of every side
	Turn     time.Duration // 100 ms
	Only     string        // the name of one workload, else all
	Progress func(done, total int)
}

func (o Options) withDefaults() Options {
	if o.Rounds <= 0 {
		o.Rounds = 5
	}
	if o.Turn <= 0 {
		o.Turn = 100 * time.Millisecond
	}
	if o.Progress == nil {
		o.Progress = func(int, int) {}
	}
	return o
}

// Row compares the two sides on one workload, by medians over the rounds.
type Row struct {
	Name string `json:"name"`
	// Loop and Other are nanoseconds, per event or as the name says.
	Loop  float64 `json:"loop_ns"`
	Other float64 `json:"other_ns"`
	// Ratio is how many times longer the other side took, as the median of the rounds.
	Ratio float64 `json:"ratio"`
	// Goal is the ratio that the project wants; 0 where there is none.
	Goal float64 `json:"goal,omitempty"`
	// Allocs are memory allocations of the loop for each event.
	Allocs float64 `json:"allocs_per_event"`
}

// Met says that the row reaches its goal.
func (r Row) Met() bool { return r.Ratio >= r.Goal }

// workload is one piece of work for both sides.
type workload struct {
	name        string
	figures     []figure
	loop, other side
	paced       bool // the number of events is given by time, not found by trying
}

// side does the work for n events. Making ready and clearing up are not measured.
type side func(n int) turn

type figure struct {
	name string
	goal float64
}

// turn is what one side did in one turn: its figures in nanoseconds, one for each of the workload's.
type turn struct {
	figures []float64
	took    time.Duration
	allocs  float64 // for each event
}

// measured times some work on n events. By default its one figure is the time for each.
func measured(n int, work func()) turn {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	work()
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	return turn{
		figures: []float64{float64(took) / float64(n)}, took: took,
		allocs: float64(after.Mallocs-before.Mallocs) / float64(n),
	}
}

// Run measures every workload.
func Run(ctx context.Context, o Options) ([]Row, error) {
	o = o.withDefaults()
	all := workloads()
	if o.Only != "" {
		all = slices.DeleteFunc(all, func(w workload) bool { return w.name != o.Only })
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no workload is named %q", o.Only)
	}
	var rows []Row
	for i, w := range all {
		nLoop, nOther := fit(w, w.loop, o.Turn), fit(w, w.other, o.Turn)
		var ours, others []turn
		for round := range o.Rounds {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			o.Progress(i*o.Rounds+round, len(all)*o.Rounds)
			ours, others = append(ours, w.loop(nLoop)), append(others, w.other(nOther))
		}
		rows = append(rows, sum(w, ours, others)...)
	}
	o.Progress(len(all)*o.Rounds, len(all)*o.Rounds)
	return rows, nil
}

// fit finds how many events fill a turn.
func fit(w workload, work side, d time.Duration) int {
	if w.paced {
		return int(d / pace)
	}
	for n := 1 << 10; ; n *= 4 {
		if took := work(n).took; took > d/8 || n > 1<<24 {
			return max(1<<10, int(float64(n)*float64(d)/float64(took)))
		}
	}
}

func sum(w workload, ours, others []turn) []Row {
	var rows []Row
	for f, figure := range w.figures {
		pick := func(turns []turn) []float64 {
			var all []float64
			for _, t := range turns {
				all = append(all, t.figures[f])
			}
			return all
		}
		a, b := pick(ours), pick(others)
		var ratios, allocs []float64
		for i := range a {
			ratios, allocs = append(ratios, b[i]/a[i]), append(allocs, ours[i].allocs)
		}
		row := Row{
			Name: w.name, Loop: median(a), Other: median(b), Ratio: median(ratios), Goal: figure.goal, Allocs: median(allocs),
		}
		if figure.name != "" {
			row.Name += ", " + figure.name
		}
		rows = append(rows, row)
	}
	return rows
}

func median(all []float64) float64 {
	all = slices.Clone(all)
	slices.Sort(all)
	return all[len(all)/2]
}

// quantiles are those of a list of durations, which is sorted by it.
func quantiles(all []int64, which ...float64) []float64 {
	slices.Sort(all)
	var values []float64
	for _, q := range which {
		values = append(values, float64(all[min(int(q*float64(len(all))), len(all)-1)]))
	}
	return values
}
