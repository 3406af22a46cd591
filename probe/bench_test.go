package probe

import (
	"log/slog"
	"testing"

	"github.com/jaypipes/ghw"
	"github.com/jaypipes/pcidb"
	"github.com/shirou/gopsutil/v3/cpu"
	disks "github.com/shirou/gopsutil/v3/disk"
	"github.com/shirou/gopsutil/v3/host"
	"github.com/shirou/gopsutil/v3/mem"
	"github.com/shirou/gopsutil/v3/net"
)

func BenchmarkProbeOfThisMachine(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Run(b.Context(), Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGhwAndGopsutil collects what they know of the same facts: one PCI database for all, and no tools run.
func BenchmarkGhwAndGopsutil(b *testing.B) {
	options := []any{ghw.WithDisableTools(), ghw.WithLogger(slog.New(slog.DiscardHandler))}
	if db, err := pcidb.New(); err == nil {
		options = append(options, ghw.WithPCIDB(db))
	}
	b.ReportAllocs()
	for b.Loop() {
		ghw.CPU(options...)
		ghw.Memory(options...)
		ghw.Block(options...)
		ghw.Topology(options...)
		ghw.Network(options...)
		ghw.PCI(options...)
		ghw.GPU(options...)
		ghw.Accelerator(options...)
		ghw.USB(options...)
		ghw.TPM(options...)
		ghw.Product(options...)
		ghw.Chassis(options...)
		cpu.InfoWithContext(b.Context())
		cpu.CountsWithContext(b.Context(), false)
		mem.VirtualMemoryWithContext(b.Context())
		mem.SwapMemoryWithContext(b.Context())
		disks.PartitionsWithContext(b.Context(), false)
		net.InterfacesWithContext(b.Context())
		host.SensorsTemperaturesWithContext(b.Context())
		host.KernelVersionWithContext(b.Context())
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
