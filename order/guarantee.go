package order

// Guarantee is what can be said of each event of an input.
type Guarantee string

const (
	ExactlyOnce Guarantee = "exactly once"
	AtLeast     Guarantee = "at least once"
	AtMost      Guarantee = "at most once"
)

func (Guarantee) words() []string {
	return []string{string(ExactlyOnce), string(AtLeast), string(AtMost)}
}

// Promise is the guarantee of one input, and why it is no better or where it ends.
type Promise struct {
	Input     string    `json:"input"`
	Guarantee Guarantee `json:"guarantee,omitzero"`
	Why       string    `json:"why"`
	Unknown
}

// Promises are the guarantees of the inputs of a spec with its defaults filled in.
func (s Spec) Promises() []Promise {
	promises := make([]Promise, len(s.Inputs))
	for i, in := range s.Inputs {
		promises[i] = in.promise(s.Durability)
		if promises[i].Guarantee == AtLeast && s.overlaps(i) {
			promises[i].Why += "; may repeat, because the filter of another input lets some of its topics in"
		}
	}
	return promises
}

func (in Input) promise(d Durability) Promise {
	p := Promise{Input: in.String(), Guarantee: ExactlyOnce}
	switch {
	case d.Volatile():
		p.Guarantee, p.Why = AtMost, "a volatile daemon keeps nothing through a crash"
	case in.Every != 0:
		p.Why = "a tick is journalled; ticks that pass while nobody runs the daemon are counted, not made up"
	case in.Source.Machine:
		p.Why = "a reading is journalled before it counts"
	case in.Daemon != "":
		p.Why = "outputs are known by epoch, incarnation and sequence"
	case in.QoS == AtMostOnce:
		p.Guarantee, p.Why = AtMost, "the broker does not repeat a lost message of QoS 0"
	case in.Format == Causal:
		p.Why = "frames are known by daemon, epoch, incarnation and sequence"
	case in.Format == CloudEvents:
		p.Why = "events are known by source and id, within the dedup window"
	case !in.ID.IsZero():
		p.Why = "payloads are known by source and id; below the window numbers are late and refused, other ids repeat"
	default:
		p.Guarantee, p.Why = AtLeast, "payloads have no id: a message that the broker repeats counts again"
	}
	return p
}

func (s Spec) overlaps(i int) bool {
	for j, other := range s.Inputs {
		if j != i && other.Topic != "" && Overlap(s.Inputs[i].Topic, other.Topic) {
			return true
		}
	}
	return false
}

// String names the binding as people write it, such as topic plant/+/t; it is empty where there is none.
func (in Input) String() string {
	switch {
	case in.Topic != "":
		return "topic " + in.Topic
	case in.Daemon != "":
		return "daemon " + string(in.Daemon)
	case in.Every != 0:
		return "every " + in.Every.String()
	case in.Source.Machine:
		return "source machine"
	}
	return ""
}
