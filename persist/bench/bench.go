// Package bench measures a store beside the simplest programs that could keep the same bytes: a bare bbolt group
// commit, and a preallocated log with one fdatasync a group.
//
// All sides run in turns, in the same directory, with the same number of waiters: each hands in one event and waits
// until it is on disk. What a figure means is left to the reader; ratios travel between machines better than rates.
package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options say how long to measure; the zero value takes about 15 seconds.
type Options struct {
	Waiters  []int         // 1, 16 and 256
	Rounds   int           // 5 turns of every side
	Turn     time.Duration // 300 ms
	Payload  int           // 256 bytes of an event, and of its output
	Progress func(done, total int)
}

func (o Options) withDefaults() Options {
	if len(o.Waiters) == 0 {
		o.Waiters = []int{1, 16, 256}
	}
	if o.Rounds <= 0 {
		o.Rounds = 5
	}
	if o.Turn <= 0 {
		o.Turn = 300 * time.Millisecond
	}
	if o.Payload <= 0 {
		o.Payload = 256
	}
	if o.Progress == nil {
		o.Progress = func(int, int) {}
	}
	return o
}

// Result holds one row for each number of waiters.
type Result struct {
	Payload int   `json:"payload"`
	Rows    []Row `json:"rows"`
}

// Row compares the sides at one number of waiters, by medians over the rounds.
type Row struct {
	Waiters  int     `json:"waiters"`
	Store    Rate    `json:"store"`
	Bare     Rate    `json:"bare"`
	Log      Rate    `json:"log"`
	OverBare float64 `json:"over_bare"` // the store's rate over that of the bare bbolt group commit
	OverLog  float64 `json:"over_log"`  // and over that of the preallocated log
}

// Rate is what one side did.
type Rate struct {
	Events float64       `json:"events_per_second"`
	P50    time.Duration `json:"p50_ns"` // from handing an event in to its being on disk
	P99    time.Duration `json:"p99_ns"`
}

// side is a program under measurement.
type side interface {
	// write hands in one event for a waiter and calls done once it is on disk.
	write(waiter int, done func(error))
	close() error
}

// Measure runs all sides in a new directory under dir, which it removes.
func Measure(ctx context.Context, dir string, o Options) (r Result, err error) {
	o = o.withDefaults()
	dir, err = os.MkdirTemp(dir, "bench-persist-")
	if err != nil {
		return Result{}, fmt.Errorf("measure store: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	sides, err := openSides(dir, o.Payload)
	if err != nil {
		return Result{}, fmt.Errorf("measure store: %w", err)
	}
	r.Payload = o.Payload
	for i, waiters := range o.Waiters {
		row, failed := compare(ctx, sides, waiters, o, i*o.Rounds)
		if failed != nil {
			err = fmt.Errorf("measure store with %d waiters: %w", waiters, failed)
			break
		}
		r.Rows = append(r.Rows, row)
	}
	for _, s := range sides {
		err = errors.Join(err, s.close())
	}
	return r, err
}

func openSides(dir string, payload int) (sides []side, err error) {
	open := []func(string, int) (side, error){openStore, openBare, openLog}
	for _, f := range open {
		s, err := f(dir, payload)
		if err != nil {
			for _, s := range sides {
				err = errors.Join(err, s.close())
			}
			return nil, err
		}
		sides = append(sides, s)
	}
	return sides, nil
}

func compare(ctx context.Context, sides []side, waiters int, o Options, before int) (Row, error) {
	rates := make([][]Rate, len(sides))
	for round := range o.Rounds {
		for i, s := range sides {
			rate, err := turn(ctx, s, waiters, o.Turn)
			if err != nil {
				return Row{}, err
			}
			rates[i] = append(rates[i], rate)
		}
		o.Progress(before+round+1, len(o.Waiters)*o.Rounds)
	}
	row := Row{Waiters: waiters, Store: middle(rates[0]), Bare: middle(rates[1]), Log: middle(rates[2])}
	row.OverBare, row.OverLog = ratio(rates[0], rates[1]), ratio(rates[0], rates[2])
	return row, nil
}

// middle takes the medians of several rates.
func middle(rates []Rate) Rate {
	return Rate{
		Events: median(rates, func(r Rate) float64 { return r.Events }),
		P50:    time.Duration(median(rates, func(r Rate) float64 { return float64(r.P50) })),
		P99:    time.Duration(median(rates, func(r Rate) float64 { return float64(r.P99) })),
	}
}

func median(rates []Rate, of func(Rate) float64) float64 {
	values := make([]float64, len(rates))
	for i, r := range rates {
		values[i] = of(r)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// ratio is the median of the ratios of each round, so that a busy moment of the machine hits both sides.
func ratio(a, b []Rate) float64 {
	values := make([]float64, len(a))
	for i := range a {
		values[i] = a[i].Events / b[i].Events
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// turn lets waiters write in closed loops for a while.
func turn(ctx context.Context, s side, waiters int, length time.Duration) (Rate, error) {
	var stop atomic.Bool
	var wait sync.WaitGroup
	took := make([][]time.Duration, waiters)
	failed := make([]error, waiters)
	begun := time.Now()
	for i := range waiters {
		wait.Go(func() {
			done := make(chan error, 1)
			answer := func(err error) { done <- err }
			for !stop.Load() {
				at := time.Now()
				s.write(i, answer)
				if failed[i] = <-done; failed[i] != nil {
					return
				}
				took[i] = append(took[i], time.Since(at))
			}
		})
	}
	select {
	case <-time.After(length):
	case <-ctx.Done():
	}
	stop.Store(true)
	wait.Wait()
	elapsed := time.Since(begun)
	if err := errors.Join(append(failed, ctx.Err())...); err != nil {
		return Rate{}, err
	}
	all := slices.Concat(took...)
	slices.Sort(all)
	if len(all) == 0 {
		return Rate{}, errors.New("no event came to an end")
	}
	return Rate{
		Events: float64(len(all)) / elapsed.Seconds(), P50: all[len(all)/2], P99: all[len(all)*99/100],
	}, nil
}
