package agent

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestBackoffDoublesUpToAMinuteWithJitter(t *testing.T) {
	var r restarts
	jitter := rand.New(rand.NewPCG(1, 2))
	now, want := time.Duration(0), firstBackoff
	for i := range 12 {
		now += 50 * time.Second // slow enough not to be a loop, too fast to be calm
		wait, looping := r.crash(now, jitter)
		if looping {
			t.Fatalf("crash %d after 50 s counts as a loop", i)
		}
		if wait < want*3/4 || wait > want*5/4 {
			t.Errorf("wait %d is %s, want %s within a quarter", i, wait, want)
		}
		want = min(2*want, lastBackoff)
	}
}

func TestFiveCrashesInAMinutePauseTheDaemon(t *testing.T) {
	var r restarts
	jitter := rand.New(rand.NewPCG(1, 2))
	for i := range loopCrashes {
		wait, looping := r.crash(time.Duration(i)*10*time.Second, jitter)
		if looping != (i == loopCrashes-1) {
			t.Fatalf("crash %d: looping is %t", i+1, looping)
		}
		if looping && wait != loopPause {
			t.Errorf("a looping daemon waits %s, want %s", wait, loopPause)
		}
	}
	if _, looping := r.crash(loopPause+time.Minute, jitter); looping {
		t.Error("the first crash after the pause counts as a loop again")
	}
}

func TestBackoffBeginsAnewAfterACalmTime(t *testing.T) {
	var r restarts
	jitter := rand.New(rand.NewPCG(1, 2))
	for i := range 3 {
		r.crash(time.Duration(i)*20*time.Second, jitter)
	}
	if wait, _ := r.crash(time.Minute+calm, jitter); wait > firstBackoff*5/4 {
		t.Errorf("after a calm time the wait is %s, want about %s", wait, firstBackoff)
	}
}
