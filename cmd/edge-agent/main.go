// Command edge-agent runs daemons on an edge device: it finds out what the machine is, says so over MQTT, takes
// assignments, runs them, and keeps their state through power cuts.
//
// This package is the roof of the house, the only one that sees all others. Every subcommand has a file of its own with
// one struct: its fields are the flags, its Run method the work. What it prints goes through the console.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/edge-agent/edge-agent/persist"
)

// commandLine is everything a person can type. A new command is one more line here.
type commandLine struct {
	Output format `short:"o" enum:"table,json,nfd,prometheus" default:"table" help:"How to print: table or json; probe has nfd and prometheus too."`

	Probe   probeCommand   `cmd:"" help:"Show what this machine is, and how that is known."`
	Demo    demoCommand    `cmd:"" help:"Show it all on this machine: broker, agent, a pipeline on its own readings."`
	Run     runCommand     `cmd:"" help:"Run the agent on this machine."`
	Assign  assignCommand  `cmd:"" help:"Give a node one order about a daemon, and wait for its report."`
	Fleet   fleetCommand   `cmd:"" help:"Show the nodes of a fleet and what they do."`
	Kinds   kindsCommand   `cmd:"" help:"List the kinds of daemons and their settings."`
	Check   checkCommand   `cmd:"" help:"Say whether a configuration or spec is right, what it promises and costs."`
	Broker  brokerCommand  `cmd:"" help:"Serve a small MQTT broker for a desk or a small site."`
	Chain   chainCommand   `cmd:"" help:"Check causal chains."`
	State   stateCommand   `cmd:"" help:"Look at what this node keeps."`
	Bench   benchCommand   `cmd:"" help:"Measure this very device."`
	Doctor  doctorCommand  `cmd:"" help:"Say what is wrong here, and how to mend it."`
	Version versionCommand `cmd:"" help:"Print the version and how the program was built."`
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == checkStateCommand {
		os.Exit(persist.CheckMain(os.Args[2:]))
	}
	os.Exit(int(run(os.Args[1:], systemStreams())))
}

// run is the whole program but for the end of the process. SIGINT and SIGTERM end the context; a second one kills.
func run(args []string, s streams) exitCode {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	var line commandLine
	con := newConsole(s)
	parser := kong.Must(&line,
		kong.Name("edge-agent"),
		kong.Description("Know this machine, take work over MQTT, run it in microseconds, keep its state."),
		kong.Writers(s.out, s.err),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}),
		kong.Bind(con),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	con.format = line.Output
	if err != nil {
		return con.Fail(usageFailure(err))
	}
	if (line.Output == formatNFD || line.Output == formatPrometheus) && command.Command() != "probe" {
		con.format = formatTable
		return con.Fail(fail(exitUsage, fmt.Errorf("only probe prints %s", line.Output), "take --output table or json"))
	}
	err = command.Run()
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = nil // asked to stop, and did
	}
	return con.Fail(err)
}
