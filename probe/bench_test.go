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
