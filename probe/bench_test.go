package probe

import "testing"

func BenchmarkProbeOfThisMachine(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Run(b.Context(), Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadings(b *testing.B) {
	r, err := Run(b.Context(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	samples := Readings(b.Context(), Here(), r.Gauges, nil)
	b.ReportAllocs()
	for b.Loop() {
		samples = Readings(b.Context(), Here(), r.Gauges, samples[:0])
	}
	b.ReportMetric(float64(len(samples)), "readings")
}

func TestMeasureNamesEverySubject(t *testing.T) {
	costs, err := Measure(t.Context(), Options{Timeout: patience, Tree: clusters().tree()}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if want := len(Subjects()) + 2; len(costs) != want {
		t.Errorf("%d costs; want %d, of each subject, of all, and of the readings", len(costs), want)
	}
	for _, c := range costs[:len(costs)-1] {
		if c.Time <= 0 || c.Allocs == 0 {
			t.Errorf("%s costs nothing: %+v", c.Subject, c)
		}
	}
}
