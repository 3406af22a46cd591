package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/edge-agent/edge-agent/persist"
)

// stateCommand looks at what this node keeps: in the file, or through the local socket while the agent runs.
type stateCommand struct {
	Ls     stateListCommand   `cmd:"" help:"List the daemons that the store knows."`
	Show   stateShowCommand   `cmd:"" help:"Show what is kept of one daemon."`
	Verify stateVerifyCommand `cmd:"" help:"Read the whole store and say what is damaged or missing."`
	Export stateExportCommand `cmd:"" help:"Write the newest snapshot of a daemon to a file."`
	Poison statePoisonCommand `cmd:"" help:"List the events that were set aside, or drop one."`
}

// stateFlags find the state directory.
type stateFlags struct {
	Config   string `short:"c" placeholder:"FILE" help:"Configuration; by default /etc/edge-agent/config.yaml."`
	StateDir string `placeholder:"DIR" help:"Directory of this node's state."`
}

func (f stateFlags) dir() (string, error) {
	s, err := configFlags{Config: f.Config, StateDir: f.StateDir}.Settings()
	return s.StateDir, err
}

// errAgentRuns says that only the agent itself can be asked.
var errAgentRuns = errors.New("the agent runs on this state")

// openState opens the store for reading; while the agent runs it gives errAgentRuns.
func openState(dir string) (*persist.Store, error) {
	if _, err := os.Stat(filepath.Join(dir, "state.db")); errors.Is(err, fs.ErrNotExist) {
		return nil, fail(exitFailed, fmt.Errorf("there is no state in %s", dir), "name another directory with --state-dir")
	}
	store, err := persist.Open(dir, persist.Options{ReadOnly: true, Check: checkStateArgs()})
	return store, stateFailure(err)
}

// checkStateArgs is this program as the checker of a file that may be damaged.
func checkStateArgs() []string {
	self, err := os.Executable()
	if err != nil {
		return nil
	}
	return []string{self, checkStateCommand}
}

func stateFailure(err error) error {
	var locked *persist.LockedError
	var schema *persist.SchemaError
	switch {
	case errors.As(err, &locked):
		return fmt.Errorf("%w: %w", errAgentRuns, locked)
	case errors.As(err, &schema):
		return fail(exitRefused, err, "use the newer edge-agent that wrote it")
	case errors.Is(err, persist.ErrDamaged):
		return fail(exitFailed, err, "edge-agent run sets it aside and starts from what can be read")
	}
	return err
}

// readState gives a store that was opened for reading to a function.
func readState(dir string, read func(*persist.Store) error) error {
	store, err := openState(dir)
	if err != nil {
		return err
	}
	return errors.Join(read(store), store.Close())
}

// stopFirst is the answer of a command that cannot ask a running agent.
func stopFirst(err error) error {
	if errors.Is(err, errAgentRuns) {
		return fail(exitRefused, err, "stop the agent, or ask it with edge-agent state ls")
	}
	return err
}

// askAgent sends a request to the agent that runs on a state directory and decodes its answer; a string takes the text.
func askAgent(ctx context.Context, dir, method, path string, answer any) error {
	socket := filepath.Join(dir, socketName)
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		},
	}}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, method, "http://agent"+path, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return fail(exitTransport, fmt.Errorf("asking the agent: %w", err), "it may be starting or stopping; try again")
	}
	defer response.Body.Close()
	body := io.LimitReader(response.Body, 64<<20)
	if response.StatusCode >= http.StatusBadRequest {
		var refused struct{ Error string }
		if err := json.NewDecoder(body).Decode(&refused); err != nil || refused.Error == "" {
			refused.Error = response.Status
		}
		return fail(exitRefused, errors.New(refused.Error), "edge-agent state ls lists what there is")
	}
	switch answer := answer.(type) {
	case nil:
		return nil
	case *string:
		text, err := io.ReadAll(body)
		*answer = string(text)
		return err
	}
	return json.NewDecoder(body).Decode(answer)
}
