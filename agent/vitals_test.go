package agent

import (
	"math"
	"testing"
	"time"

	"github.com/edge-agent/edge-agent/mesh"
)

func TestSaturationIsClampedSmoothedAndNeverNaN(t *testing.T) {
	var v vitals
	tell := func(s float32) { v.sample(mesh.Health{}, s, false, 0, 0) }
	tell(7)
	if v.saturation != 1 {
		t.Errorf("the first sample of 7 gives %v, want 1", v.saturation)
	}
	tell(float32(math.NaN()))
	if v.saturation != 1 || v.refused != 1 {
		t.Errorf("NaN gives %v and %d refused, want 1 and 1", v.saturation, v.refused)
	}
	tell(-3)
	if want := 1 - smoothing; v.saturation != want {
		t.Errorf("a sample of -3 after 1 gives %v, want %v", v.saturation, want)
	}
	tell(float32(math.Inf(1)))
	if v.saturation > 1 {
		t.Errorf("an infinite sample gives %v, want at most 1", v.saturation)
	}
}

func TestSmallChangesOfSaturationAreNotTold(t *testing.T) {
	var v vitals
	v.sample(mesh.Health{}, 0.5, false, 0, 0)
	if _, load := v.sample(mesh.Health{}, 0.55, false, 0, 0); load {
		t.Error("a change of 0.0125 was told")
	}
	told := false
	for range 20 {
		_, load := v.sample(mesh.Health{}, 0.9, false, 0, 0)
		told = told || load
	}
	if !told {
		t.Error("a change from 0.5 to 0.9 was never told")
	}
}

func TestHealthIsToldWhenItsLevelChanges(t *testing.T) {
	var v vitals
	steps := []struct {
		level mesh.Level
		told  bool
	}{{mesh.Healthy, false}, {mesh.Degraded, true}, {mesh.Degraded, false}, {mesh.Healthy, true}}
	for i, step := range steps {
		told, _ := v.sample(mesh.Health{Level: step.level}, 0, false, 0, time.Duration(i)*time.Second)
		if told != step.told {
			t.Errorf("sample %d (%s): told %t, want %t", i, step.level, told, step.told)
		}
	}
	if v.since != 3*time.Second {
		t.Errorf("the level holds since %s, want 3s", v.since)
	}
}

func TestSlowSamplesAreTakenLessOften(t *testing.T) {
	var v vitals
	v.sample(mesh.Health{}, 0, false, 2*slowSample, 0)
	ticks := 0
	for !v.due() {
		ticks++
	}
	if ticks != slowPause || v.slow != 1 {
		t.Errorf("left alone for %d ticks with %d slow samples, want %d and 1", ticks, v.slow, slowPause)
	}
}
