package main

import (
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/edge-agent/edge-agent/mqtt"
	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the test binary play edge-agent: scripts start it as a process of its own, and so does an agent within
// a test that has its state checked.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == checkStateCommand {
		main()
	}
	testscript.Main(m, map[string]func(){"edge-agent": main, "edge-agent-puppets": puppetsMain})
}

// TestScripts runs testdata/script/*.txtar. Beside the usual words a script can say
//
//	exits CODE edge-agent …           the command ends with this exit code
//	eventually PATTERN edge-agent …   the command comes to succeed and to print this
//	broker                            a broker runs until the script ends; EDGE_AGENT_BROKER names it
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":      scriptExits,
			"eventually": scriptEventually,
			"broker":     scriptBroker,
		},
		Setup: func(env *testscript.Env) error {
			env.Setenv("XDG_STATE_HOME", env.WorkDir+"/state")
			env.Setenv("HOME", env.WorkDir+"/home")
			return os.MkdirAll(env.WorkDir+"/home", 0o700)
		},
	})
}

func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARGUMENT ...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		ended, ok := err.(interface{ ExitCode() int })
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = ended.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d; want %d", got, want)
	}
}

// patience is how long a script waits for what must come; only a failing test takes it.
const patience = 60 * time.Second

func scriptEventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: eventually PATTERN COMMAND [ARGUMENT ...]")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("no output like %s after %s: %v", args[0], patience, err)
		}
	}
}

func scriptBroker(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: broker")
	}
	broker, err := mqtt.OpenBroker(mqtt.BrokerOptions{Listen: "127.0.0.1:0"})
	ts.Check(err)
	ts.Defer(func() { _ = broker.Close() })
	ts.Setenv("EDGE_AGENT_BROKER", "tcp://"+broker.Addrs()[0].String())
}
