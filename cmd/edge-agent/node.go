package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/edge-agent/edge-agent/agent"
	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/mqtt"
	"github.com/edge-agent/edge-agent/order"
	"github.com/edge-agent/edge-agent/persist"
)

// The node's own documents in the store, beside those of package agent.
const (
	runningKey = "running" // there while the agent runs: found at the start, the last stop was not clean
	reexecKey  = "reexec"  // when the agent last replaced its process
)

// At most maxReexecs times within reexecWindow the process is replaced to be rid of a daemon that does not return.
const (
	maxReexecs   = 3
	reexecWindow = time.Hour
)

// errReexec asks main to replace the process by a fresh one.
var errReexec = errors.New("the process is to be replaced")

// node is one agent with all that it stands on.
type node struct {
	settings settings
	log      *slog.Logger
	dir      string
	id       agent.Identity
	store    *persist.Store
	client   *mqtt.Client
	agent    *agent.Agent
	machine  *machine
	resumed  bool // the store was there before

	mu      sync.Mutex
	replace string // why the process is to be replaced
	stop    context.CancelFunc
	beside  sync.WaitGroup     // what watches the machine
	blind   context.CancelFunc // ends it
	writing sync.WaitGroup
	written error
	quiet   context.CancelFunc // ends the store's committer
}

// openNode takes hold of the state directory and puts the parts together; nothing runs yet but the store's committer.
func openNode(ctx context.Context, s settings, kinds []mesh.Kind, log *slog.Logger) (n *node, err error) {
	n = &node{settings: s, log: log, dir: s.StateDir}
	if err := os.MkdirAll(n.dir, 0o700); err != nil {
		return nil, fail(exitConfig, fmt.Errorf("making the state directory: %w", err), "choose another with --state-dir")
	}
	if err := n.openStore(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close())
		}
	}()
	var damage error
	if n.id, damage, err = agent.OpenIdentity(n.dir, s.Node); err != nil {
		return nil, fail(exitConfig, err, "node names have a-z, 0-9, _ and -, at most 64 characters")
	}
	if damage != nil {
		log.Error("alarm", "error", damage)
	}
	boot, err := n.store.Increment(agent.NodeBucket, agent.BootKey, 0)
	if err != nil {
		return nil, err
	}
	careful, err := n.markRunning()
	if err != nil {
		return nil, err
	}
	watching, blind := context.WithCancel(ctx)
	n.blind = blind
	n.machine = openMachine(watching, n)
	connection := &bus{}
	built, err := agent.New(agent.Options{
		Identity: n.id, Fleet: s.Fleet, Version: currentBuild().Version, Kinds: kinds, Declared: s.Daemons,
		Store: &journal{vault{n.store}, n.wake}, Bus: connection, Decode: decoder, Machine: n.machine.current(),
		Gauges: n.machine.gauges, Metrics: n.metrics, Careful: careful, Boot: boot, Reexec: n.reexec,
		Export: n.export, Log: log,
	})
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	n.agent = built
	n.mu.Unlock()
	for _, a := range n.store.Alarms() {
		built.Alarm(a.Text)
	}
	if n.client, err = mqtt.New(n.connection()); err != nil {
		return nil, fail(exitConfig, err, "check broker in the configuration file")
	}
	connection.client = n.client
	n.machine.tell(n.agent)
	return n, nil
}

func (n *node) openStore() error {
	_, missing := os.Stat(filepath.Join(n.dir, "state.db"))
	n.resumed = missing == nil
	var options persist.Options
	if self, err := os.Executable(); err == nil {
		options.Check = []string{self, checkStateCommand}
	}
	options.Log = n.log
	options.Alarm = n.alarm
	store, err := persist.Open(n.dir, options)
	var locked *persist.LockedError
	var schema *persist.SchemaError
	switch {
	case errors.As(err, &locked):
		return fail(exitRefused, err, "stop that agent, or give this one its own --state-dir")
	case errors.As(err, &schema):
		return fail(exitRefused, err, "install the newer agent again, or move the state directory away to begin anew")
	case err != nil:
		return err
	}
	n.store = store
	ctx, quiet := context.WithCancel(context.Background())
	n.quiet = quiet
	n.writing.Go(func() { n.written = store.Run(ctx) })
	return nil
}

// alarm tells people what the store has found, by the log and by the node's health.
func (n *node) alarm(a persist.Alarm) {
	n.log.Error("alarm", "kind", a.Kind, "daemon", a.Daemon, "text", a.Text)
	n.mu.Lock()
	told := n.agent
	n.mu.Unlock()
	if told != nil {
		told.Alarm(a.Text)
	}
}

// close lets the store write what waits and gives the state directory back.
func (n *node) close() error {
	if n.store == nil {
		return nil
	}
	if n.blind != nil {
		n.blind()
	}
	n.beside.Wait()
	n.quiet()
	n.writing.Wait()
	return errors.Join(n.written, n.store.Close())
}

// markRunning leaves a mark that only a clean stop takes away, and reports whether it was there already.
func (n *node) markRunning() (unclean bool, err error) {
	if _, unclean, err = n.store.Get(agent.NodeBucket, runningKey); err != nil {
		return false, err
	}
	return unclean, n.store.Put(agent.NodeBucket, runningKey, []byte(`"running"`))
}

// connection are the options of the client.
func (n *node) connection() mqtt.Options {
	o := n.settings.Broker.connection()
	fleet := order.Fleet(n.settings.Fleet)
	o.ClientID = n.settings.Fleet + ":" + string(n.id.Node)
	o.Root, o.Log, o.Outbox = fleet.Root(), n.log, outbox{n.store}
	o.Will = func() mqtt.Will {
		topic, payload := n.agent.Will()
		return mqtt.Will{Topic: topic, Payload: payload, QoS: 1, Retained: true}
	}
	o.Receive = func(m mqtt.Message) bool {
		return n.agent.Receive(agent.Message{
			Topic: m.Topic, Payload: m.Payload, QoS: m.QoS, Retained: m.Retained, Dup: m.Dup, Ack: m.Ack,
		})
	}
	o.Up = func() {
		n.log.Info("connected to the broker")
		n.agent.Connected()
	}
	o.Down = func(err error) { n.log.Warn("no connection to the broker", "error", err) }
	o.Granted = func(s mqtt.Subscription, err error) {
		if err != nil {
			n.log.Error("the broker denies a subscription", "filter", s.Filter, "error", err)
		}
	}
	o.Echo = fleet.Presence(n.id.Node)
	o.Denied = func(topic string) {
		n.log.Error("the broker swallows what this node publishes: check its access rules", "topic", topic)
	}
	return o
}

func (n *node) wake() { n.client.Wake() }

// run works until the context ends: the agent first, then the broker's connection, so that the last words get out.
func (n *node) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	n.mu.Lock()
	n.stop = stop
	n.mu.Unlock()

	connected, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer hangUp()
	var beside sync.WaitGroup
	var lost error
	beside.Go(func() {
		select {
		case <-n.agent.Ready():
			lost = n.client.Run(connected)
		case <-connected.Done():
		}
	})
	beside.Go(func() { n.machine.observe(ctx, n.agent) })
	err := n.agent.Run(ctx)
	stop()
	hangUp()
	beside.Wait()
	if err == nil {
		err = n.store.Delete(agent.NodeBucket, runningKey)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.replace != "" {
		return errReexec
	}
	return errors.Join(err, lost)
}

// reexec ends the run so that main replaces the process, unless that has happened too often of late.
func (n *node) reexec(reason string) {
	now := time.Now()
	var times []time.Time
	if value, ok, err := n.store.Get(agent.NodeBucket, reexecKey); err == nil && ok {
		_ = json.Unmarshal(value, &times) // unreadable counts as none
	}
	var recent []time.Time
	for _, t := range times {
		if age := now.Sub(t); age >= 0 && age < reexecWindow {
			recent = append(recent, t)
		}
	}
	if len(recent) >= maxReexecs {
		n.log.Error("the process was replaced too often and goes on as it is", "reason", reason, "within", reexecWindow)
		return
	}
	value, err := json.Marshal(append(recent, now))
	if err == nil {
		err = n.store.Put(agent.NodeBucket, reexecKey, value)
	}
	if err != nil {
		n.log.Error("keeping that the process is replaced", "error", err)
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.replace = reason
	n.stop()
}

// export keeps the last snapshot of a daemon that goes, the newest for each daemon.
func (n *node) export(id mesh.DaemonID, s mesh.Snapshot) error {
	dir := filepath.Join(n.dir, "gone")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, string(id)+".snapshot"), mesh.AppendSnapshot(nil, &s), 0o600)
}

// metrics adds what the store and the connection count to the agent's page.
func (n *node) metrics(w io.Writer) {
	s, c := n.store.Stats(), n.client.Stats()
	writeMetrics(w, map[string]float64{
		"edge_agent_store_commits_total":        float64(s.Commits),
		"edge_agent_store_written_bytes_total":  float64(s.Written),
		"edge_agent_store_failures_total":       float64(s.Failures),
		"edge_agent_store_alarms_total":         float64(s.Alarms),
		"edge_agent_store_commit_seconds_total": s.CommitTime.Seconds(),
		"edge_agent_store_commit_seconds_max":   s.Slowest.Seconds(),
		"edge_agent_store_journal_bytes":        float64(s.Journal),
		"edge_agent_store_snapshots_bytes":      float64(s.Snapshots),
		"edge_agent_store_file_bytes":           float64(s.File),
		"edge_agent_store_poison":               float64(s.Poison),
		"edge_agent_outbox_dropped_total":       float64(s.Dropped),
		"edge_agent_mqtt_connects_total":        float64(c.Connects),
		"edge_agent_mqtt_failures_total":        float64(c.Failures),
		"edge_agent_mqtt_lost_total":            float64(c.Lost),
		"edge_agent_mqtt_forced_total":          float64(c.Forced),
		"edge_agent_mqtt_received_total":        float64(c.Received),
		"edge_agent_mqtt_dropped_total":         float64(c.Dropped),
		"edge_agent_mqtt_published_total":       float64(c.Published),
		"edge_agent_mqtt_refused_total":         float64(c.Refused),
		"edge_agent_mqtt_waiting":               float64(c.Waiting),
		"edge_agent_mqtt_in_flight":             float64(c.Inflight),
	})
}

func writeMetrics(w io.Writer, values map[string]float64) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(w, "%s %g\n", name, values[name])
	}
}
