package main

// benchCommand measures this very device.
type benchCommand struct {
	Dispatch benchDispatchCommand `cmd:"" help:"Measure the loop that runs daemons beside Go channels."`
	Persist  benchPersistCommand  `cmd:"" help:"Measure durable writes beside a bare bbolt and a plain log."`
	Probe    benchProbeCommand    `cmd:"" help:"Measure what each answer about this machine costs, beside ghw and gopsutil."`
}
