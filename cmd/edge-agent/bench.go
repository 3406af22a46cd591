package main

// benchCommand measures this very device.
type benchCommand struct {
	Persist benchPersistCommand `cmd:"" help:"Measure durable writes beside a bare bbolt and a plain log."`
}
