package bench

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"
)

func TestEverySideIsMeasured(t *testing.T) {
	last := 0
	r, err := Measure(context.Background(), t.TempDir(), Options{
		Waiters: []int{1, 4}, Rounds: 2, Turn: 10 * time.Millisecond,
		Progress: func(done, total int) {
			if last++; done != last || total != 4 {
				t.Errorf("progress %d of %d, call %d", done, total, last)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Rows) != 2 || last != 4 {
		t.Fatalf("%d rows, %d calls of progress", len(r.Rows), last)
	}
	for _, row := range r.Rows {
		for _, rate := range []Rate{row.Store, row.Bare, row.Log} {
			if rate.Events <= 0 || rate.P50 <= 0 || rate.P99 < rate.P50 {
				t.Errorf("%d waiters: %+v", row.Waiters, rate)
			}
		}
		if row.OverBare <= 0 || row.OverLog <= 0 {
			t.Errorf("ratios %+v", row)
		}
	}
}

func TestMeasureStopsWithItsContextAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Measure(ctx, dir, Options{Waiters: []int{2}, Turn: time.Hour}); !errors.Is(err, context.Canceled) {
		t.Errorf("measure: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
