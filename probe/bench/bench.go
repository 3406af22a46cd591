// Package bench measures what probing this machine costs, subject by subject, and beside ghw and gopsutil collecting
// what they know of the same facts. It runs on the machine it measures and changes nothing there.
package bench

import (
	"context"
	"log/slog"
	"runtime"
	"slices"
	"time"

	"github.com/jaypipes/ghw"
	"github.com/jaypipes/pcidb"
	"github.com/shirou/gopsutil/v3/cpu"
	"github.com/shirou/gopsutil/v3/disk"
	"github.com/shirou/gopsutil/v3/host"
	"github.com/shirou/gopsutil/v3/mem"
	"github.com/shirou/gopsutil/v3/net"

	"github.com/edge-agent/edge-agent/probe"
)

// Result is one run: the costs of the subjects, of all beside each other and of the readings; the cost of the two
// libraries; and how many times faster all subjects are than they.
type Result struct {
	Costs  []probe.Cost `json:"costs"`
	Others probe.Cost   `json:"ghw_and_gopsutil"`
	Ratio  float64      `json:"ratio"`
}

// Run measures for so many rounds; ahead is told of each finished step.
func Run(ctx context.Context, o probe.Options, rounds int, ahead func(done, total int)) (Result, error) {
	rounds = max(1, rounds)
	ahead(0, 2)
	costs, err := probe.Measure(ctx, o, rounds)
	if err != nil {
		return Result{}, err
	}
	ahead(1, 2)
	r := Result{Costs: costs, Others: others(ctx, rounds)}
	ahead(2, 2)
	for _, c := range costs {
		if c.Subject == "all" && c.Time > 0 {
			r.Ratio = float64(r.Others.Time) / float64(c.Time)
		}
	}
	return r, ctx.Err()
}

func others(ctx context.Context, rounds int) probe.Cost {
	options := []any{ghw.WithDisableTools(), ghw.WithLogger(slog.New(slog.DiscardHandler))}
	if db, err := pcidb.New(); err == nil { // one for all, else each call would read the list again
		options = append(options, ghw.WithPCIDB(db))
	}
	times := make([]time.Duration, 0, rounds)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range rounds {
		if ctx.Err() != nil {
			break
		}
		began := time.Now()
		collect(ctx, options)
		times = append(times, time.Since(began))
	}
	runtime.ReadMemStats(&after)
	if len(times) == 0 {
		return probe.Cost{Subject: "ghw and gopsutil"}
	}
	slices.Sort(times)
	n := uint64(len(times))
	return probe.Cost{Subject: "ghw and gopsutil", Time: times[len(times)/2],
		Allocs: (after.Mallocs - before.Mallocs) / n, Bytes: (after.TotalAlloc - before.TotalAlloc) / n}
}

// collect asks each library for what it does well. What it could not find does not matter here.
func collect(ctx context.Context, options []any) {
	_, _ = ghw.CPU(options...)
	_, _ = ghw.Memory(options...)
	_, _ = ghw.Block(options...)
	_, _ = ghw.Topology(options...)
	_, _ = ghw.Network(options...)
	_, _ = ghw.PCI(options...)
	_, _ = ghw.GPU(options...)
	_, _ = ghw.Accelerator(options...)
	_, _ = ghw.USB(options...)
	_, _ = ghw.TPM(options...)
	_, _ = ghw.Product(options...)
	_, _ = ghw.Chassis(options...)
	_, _ = cpu.InfoWithContext(ctx)
	_, _ = mem.VirtualMemoryWithContext(ctx)
	_, _ = mem.SwapMemoryWithContext(ctx)
	_, _ = disk.PartitionsWithContext(ctx, false)
	_, _ = net.InterfacesWithContext(ctx)
	_, _ = host.SensorsTemperaturesWithContext(ctx)
	_, _ = host.KernelVersionWithContext(ctx)
}
