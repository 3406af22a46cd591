package order

import "github.com/edge-agent/edge-agent/mesh"

// Format is how a payload stands on the wire.
type Format string

const (
	Raw         Format = "raw"
	Causal      Format = "causal"
	CloudEvents Format = "cloudevents"
)

func (Format) words() []string { return []string{string(Raw), string(Causal), string(CloudEvents)} }

// Mesh is the format as the contract numbers it.
func (f Format) Mesh() mesh.Format {
	switch f {
	case Causal:
		return mesh.Causal
	case CloudEvents:
		return mesh.CloudEvents
	}
	return mesh.Raw
}

// RetainedInput says what becomes of retained messages, which come again with every connection.
type RetainedInput string

const (
	RetainedOnce  RetainedInput = "once" // again only when it differs from the last one seen on its topic
	RetainedSkip  RetainedInput = "skip"
	RetainedEvery RetainedInput = "every"
)

func (RetainedInput) words() []string {
	return []string{string(RetainedOnce), string(RetainedSkip), string(RetainedEvery)}
}

// Handover says what a move of the daemon may do to inputs without an identity.
type Handover string

const (
	HandoverOverlap Handover = "overlap" // some may repeat
	HandoverGap     Handover = "gap"     // some may be missed
)

func (Handover) words() []string { return []string{string(HandoverOverlap), string(HandoverGap)} }

// Destination says whether an output leaves the node.
type Destination string

const (
	ToBroker Destination = "broker"
	ToLocal  Destination = "local"
	ToBoth   Destination = "both"
)

func (Destination) words() []string {
	return []string{string(ToBroker), string(ToLocal), string(ToBoth)}
}

// OnFull says what a full inbox does with the next input.
type OnFull string

const (
	DropOldest OnFull = "drop_oldest"
	Reject     OnFull = "reject"
	Spill      OnFull = "spill" // to the journal, up to the inbox's bytes; then reject
)

func (OnFull) words() []string { return []string{string(DropOldest), string(Reject), string(Spill)} }

// OnPoison says what becomes of an event that crashes its daemon each time.
type OnPoison string

const (
	PoisonAside OnPoison = "aside"
	PoisonRetry OnPoison = "retry" // nothing behind it is processed before it is
)

func (OnPoison) words() []string { return []string{string(PoisonAside), string(PoisonRetry)} }

// Failover says what replaces a daemon whose node is lost.
type Failover string

// FailoverNone leaves the daemon where it is until somebody moves it.
const FailoverNone Failover = "none"

func (Failover) words() []string { return []string{string(FailoverNone)} }

// State is what an assignment asks for.
type State string

const (
	Run     State = "run"
	Standby State = "standby"
	Frozen  State = "frozen"
	Stop    State = "stop"
	Gone    State = "gone" // stopped and forgotten, once its outputs are delivered
)

func (State) words() []string {
	return []string{string(Run), string(Standby), string(Frozen), string(Stop), string(Gone)}
}

// Phase is where a daemon stands on its node.
type Phase string

const (
	Starting    Phase = "starting"
	Running     Phase = "running"
	Draining    Phase = "draining"
	Restarting  Phase = "restarting" // waits to start again after a crash
	CrashLoop   Phase = "crash-looping"
	Stopped     Phase = "stopped"
	Forgotten   Phase = "gone"
	Failed      Phase = "failed" // could not be started
	Quarantined Phase = "quarantined"
	Refused     Phase = "refused" // the assignment was not taken up
	OnStandby   Phase = "standby"
	IsFrozen    Phase = "frozen"
)

func (Phase) words() []string {
	return []string{string(Starting), string(Running), string(Draining), string(Restarting), string(CrashLoop),
		string(Stopped), string(Forgotten), string(Failed), string(Quarantined), string(Refused), string(OnStandby),
		string(IsFrozen)}
}

// Live reports whether the daemon has an owner here that will go on with it.
func (p Phase) Live() bool {
	switch p {
	case Starting, Running, Draining, Restarting, CrashLoop, OnStandby, IsFrozen:
		return true
	}
	return false
}

// Refusal is why an assignment was not taken up.
type Refusal string

const (
	StaleTerm       Refusal = "stale_term"  // a controller with a higher term has spoken; the report says which
	Stale           Refusal = "stale"       // a higher generation was seen
	StaleEpoch      Refusal = "stale_epoch" // a higher epoch was seen
	Conflict        Refusal = "conflict"    // the same numbers came before with another body
	Jump            Refusal = "jump"        // a number is implausibly far ahead
	DeclaredLocally Refusal = "declared_locally"
	Unsupported     Refusal = "unsupported"
	Unmet           Refusal = "requirements"
	UnknownKind     Refusal = "unknown_kind"
	Invalid         Refusal = "invalid"
	NoState         Refusal = "state" // the kept state does not fit the daemon
)

func (Refusal) words() []string {
	return []string{string(StaleTerm), string(Stale), string(StaleEpoch), string(Conflict), string(Jump),
		string(DeclaredLocally), string(Unsupported), string(Unmet), string(UnknownKind), string(Invalid),
		string(NoState)}
}

// Grade is a daemon's or node's health.
type Grade string

const (
	Healthy   Grade = "healthy"
	Degraded  Grade = "degraded"
	Unhealthy Grade = "unhealthy"
)

func (Grade) words() []string { return []string{string(Healthy), string(Degraded), string(Unhealthy)} }
