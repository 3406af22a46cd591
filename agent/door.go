package agent

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/order"
)

// NodeState is what the local door says of the node.
type NodeState struct {
	Node      mesh.NodeID  `json:"node"`
	Fleet     string       `json:"fleet"`
	Version   string       `json:"version"`
	Instance  string       `json:"instance"`
	Boot      uint64       `json:"boot"`
	State     order.Life   `json:"state"`
	Uptime    float64      `json:"uptime_seconds"`
	Connected bool         `json:"connected"`
	Health    order.Health `json:"health"`
	Daemons   int          `json:"daemons"`
	Outbox    OutboxState  `json:"outbox"`
}

// DaemonState is a daemon's report, with its name.
type DaemonState struct {
	Daemon mesh.DaemonID `json:"daemon"`
	*order.Report
}

// Poison is an event that was set aside because it crashed its daemon each time.
type Poison struct {
	Position mesh.Position `json:"position"`
	Daemon   mesh.DaemonID `json:"daemon"`
	Source   string        `json:"source,omitempty"`
	Topic    string        `json:"topic,omitempty"`
	Time     time.Time     `json:"time"`
	Payload  []byte        `json:"payload"` // base64 in JSON
}

// Door serves the node's state to people and programs on this machine: /state /daemons /daemons/ID /poison, and
// /metrics and /healthz for monitoring. POST /daemons/ID/snapshot takes a snapshot, DELETE /poison/POSITION forgets an
// event that was set aside.
func (a *Agent) Door() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /state", a.showState)
	mux.HandleFunc("GET /daemons", a.showDaemons)
	mux.HandleFunc("GET /daemons/{id}", a.showDaemon)
	mux.HandleFunc("POST /daemons/{id}/snapshot", a.takeSnapshot)
	mux.HandleFunc("GET /poison", a.showPoison)
	mux.HandleFunc("DELETE /poison/{position}", a.dropPoison)
	mux.Handle("/", a.Monitoring())
	return mux
}

// Monitoring serves /metrics and /healthz alone.
func (a *Agent) Monitoring() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", a.showMetrics)
	mux.HandleFunc("GET /healthz", a.showHealth)
	return mux
}

// State is the node as it is now.
func (k *keeper) state() NodeState {
	p := k.life.change(func(*order.Presence) {})
	return NodeState{
		Node: k.o.Identity.Node, Fleet: k.o.Fleet, Version: k.o.Version, Instance: p.Instance, Boot: p.Boot,
		State: p.State, Uptime: (k.now() - k.began).Seconds(), Connected: k.o.Bus.Connected(),
		Health: *order.HealthOf(k.health()), Daemons: len(k.daemons), Outbox: k.o.Store.Outbox(),
	}
}

func (a *Agent) showState(w http.ResponseWriter, r *http.Request) {
	var state NodeState
	if err := a.ask(r.Context(), func(k *keeper) { state = k.state() }); err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	show(w, state)
}

// fresh reads the loop's figures and gives the reports that go with them.
func (a *Agent) fresh(ctx context.Context) ([]DaemonState, error) {
	stats, err := a.host.Stats(ctx)
	if err != nil {
		return nil, err
	}
	var all []DaemonState
	err = a.ask(ctx, func(k *keeper) {
		for _, s := range stats.Daemons {
			if d := k.daemons[s.ID]; d != nil {
				d.stats = figures{s, true}
			}
		}
		for _, d := range k.sorted() {
			all = append(all, DaemonState{d.id, k.reportOf(d)})
		}
	})
	return all, err
}

// Report is the report about one daemon, with the figures of this moment.
func (a *Agent) Report(ctx context.Context, id mesh.DaemonID) (*order.Report, bool) {
	all, err := a.fresh(ctx)
	if err != nil {
		return nil, false
	}
	for _, d := range all {
		if d.Daemon == id {
			return d.Report, true
		}
	}
	return nil, false
}

func (a *Agent) showDaemons(w http.ResponseWriter, r *http.Request) {
	all, err := a.fresh(r.Context())
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	if all == nil {
		all = []DaemonState{}
	}
	show(w, all)
}

func (a *Agent) showDaemon(w http.ResponseWriter, r *http.Request) {
	id := mesh.DaemonID(r.PathValue("id"))
	if report, ok := a.Report(r.Context(), id); ok {
		show(w, DaemonState{id, report})
		return
	}
	refuse(w, http.StatusNotFound, &mesh.Error{Daemon: id, Kind: mesh.ErrNotFound})
}

func (a *Agent) takeSnapshot(w http.ResponseWriter, r *http.Request) {
	id := mesh.DaemonID(r.PathValue("id"))
	switch err := a.host.Snapshot(r.Context(), id); {
	case errors.Is(err, mesh.ErrNotFound):
		refuse(w, http.StatusNotFound, err)
	case err != nil:
		refuse(w, http.StatusConflict, err)
	default:
		show(w, map[string]string{"daemon": string(id), "snapshot": "on disk"})
	}
}

func (a *Agent) showPoison(w http.ResponseWriter, _ *http.Request) {
	list, err := a.o.Store.Poison()
	if err != nil {
		refuse(w, http.StatusInternalServerError, err)
		return
	}
	if list == nil {
		list = []Poison{}
	}
	show(w, list)
}

func (a *Agent) dropPoison(w http.ResponseWriter, r *http.Request) {
	position, err := strconv.ParseUint(r.PathValue("position"), 10, 64)
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	if err := a.o.Store.DeletePoison(mesh.Position(position)); err != nil {
		refuse(w, http.StatusInternalServerError, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// showHealth answers 200 while the node does its work, and 503 while it cannot keep what it is given.
func (a *Agent) showHealth(w http.ResponseWriter, r *http.Request) {
	var state NodeState
	if err := a.ask(r.Context(), func(k *keeper) { state = k.state() }); err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	if state.Health.Level == order.Unhealthy {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	show(w, state.Health)
}

func show(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // whoever asked has gone
}

func refuse(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
}
