package main

// benchCommand measures this very device.
type benchCommand struct {
	Dispatch benchDispatchCommand `cmd:"" help:"Measure the loop that runs daemons beside Go channels."`
	Persist  benchPersistCommand  `cmd:"" help:"Measure durable writes beside a bare bbolt and a plain log."`
	MQTT     benchMQTTCommand     `cmd:"" name:"mqtt" help:"Measure messages through a broker and the agent, beside a plain program."`
	Probe    benchProbeCommand    `cmd:"" help:"Measure what each answer about this machine costs, beside ghw and gopsutil."`
}
