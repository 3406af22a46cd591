package mesh

import (
	"math"
	"time"
)

const (
	stepVersion  = 1
	outVersion   = 1
	givenVersion = 1
)

// AppendStep adds the record of a step to b. Its outputs are records of their own: see AppendOut.
func AppendStep(b []byte, s *Step) []byte {
	b = append(b, stepVersion)
	b = AppendUint(b, uint64(s.Position))
	b = AppendText(b, s.Daemon)
	b = AppendUint(b, s.Epoch)
	b = AppendUint(b, uint64(s.Incarnation))
	b = AppendFlags(b, s.Failed, s.Poison)
	b = AppendUint(b, uint64(s.At))
	b = AppendUint(b, uint64(s.Given))
	b = append(b, byte(s.Control.Signal))
	if s.Control.Signal != 0 {
		b = AppendInt(b, int64(s.Control.Grace))
		b = AppendUint(b, uint64(math.Float32bits(s.Control.Level)))
	}
	b = AppendUint(b, uint64(s.Emitted))
	b = appendHead(b, s.Head)
	b = AppendUint(b, uint64(len(s.Tasks)))
	for i := range s.Tasks {
		b = appendTask(b, &s.Tasks[i])
	}
	return appendEvent(b, &s.Event)
}

// ParseStep reads the record of a step, without its outputs.
func ParseStep(b []byte) (Step, error) {
	d := Decode(b, stepVersion)
	s := Step{Position: Position(d.Uint()), Daemon: DaemonID(d.Text()), Epoch: d.Uint(), Incarnation: d.Uint32()}
	d.Flags(&s.Failed, &s.Poison)
	s.At, s.Given = Position(d.Uint()), Position(d.Uint())
	s.Control = d.control()
	s.Emitted = d.Uint32()
	s.Head = d.head()
	s.Tasks = list(&d, taskSize, (*Decoder).task)
	s.Event = d.event()
	if err := d.End("step"); err != nil {
		return Step{}, err
	}
	return s, nil
}

// AppendOut adds the record of an output to b.
func AppendOut(b []byte, o *Out) []byte {
	b = append(b, outVersion)
	b = AppendUint(b, uint64(o.Position))
	b = AppendText(b, o.Daemon)
	b = AppendUint(b, o.Epoch)
	b = AppendUint(b, uint64(o.Incarnation))
	b = o.Link.Append(b)
	b = AppendUint(b, uint64(len(o.Sends)))
	for _, send := range o.Sends {
		b = AppendText(b, send.Topic)
		b = append(b, send.QoS)
		b = AppendFlags(b, send.Retained)
		b = append(b, byte(send.Format))
	}
	return AppendBytes(b, o.Payload)
}

// ParseOut reads the record of an output.
func ParseOut(b []byte) (Out, error) {
	d := Decode(b, outVersion)
	o := Out{
		Position: Position(d.Uint()), Daemon: DaemonID(d.Text()), Epoch: d.Uint(), Incarnation: d.Uint32(),
		Link: d.link(),
	}
	o.Sends = list(&d, sendSize, (*Decoder).send)
	o.Payload = d.Bytes()
	if err := d.End("output"); err != nil {
		return Out{}, err
	}
	return o, nil
}

// AppendGiven adds the record of an input that waits to be processed to b.
func AppendGiven(b []byte, g *Given) []byte {
	b = append(b, givenVersion)
	b = AppendUint(b, uint64(g.Position))
	b = AppendText(b, g.Daemon)
	b = AppendUint(b, uint64(g.Attempt))
	b = AppendUint(b, uint64(g.At))
	return appendEvent(b, &g.Event)
}

// ParseGiven reads the record of an input that waits to be processed.
func ParseGiven(b []byte) (Given, error) {
	d := Decode(b, givenVersion)
	g := Given{
		Position: Position(d.Uint()), Daemon: DaemonID(d.Text()), Attempt: d.Uint32(), At: Position(d.Uint()),
		Event: d.event(),
	}
	if err := d.End("given input"); err != nil {
		return Given{}, err
	}
	return g, nil
}

// The fewest bytes that an element of a list can take.
const (
	taskSize = 3
	sendSize = 4
)

func appendTask(b []byte, t *Task) []byte {
	b = AppendUint(b, uint64(t.Step))
	b = AppendUint(b, uint64(t.Index))
	return AppendBytes(b, t.Bytes)
}

func (d *Decoder) task() Task {
	t := Task{Step: Position(d.Uint())}
	index := d.Uint()
	if index > math.MaxUint16 {
		d.Fail("task index %d above 16 bits", index)
	}
	t.Index, t.Bytes = uint16(index), d.Bytes()
	return t
}

func (d *Decoder) send() Send {
	s := Send{Topic: d.Text(), QoS: d.Choice(2, "quality of service")}
	d.Flags(&s.Retained)
	s.Format = Format(d.Choice(byte(CloudEvents), "format"))
	return s
}

func appendHead(b []byte, h Head) []byte {
	b = h.Link.Append(b)
	b = AppendWord(b, h.Next)
	b = AppendUint(b, h.Epoch)
	return AppendUint(b, uint64(h.Incarnation))
}

func (d *Decoder) head() Head {
	return Head{Link: d.link(), Next: d.Word(), Epoch: d.Uint(), Incarnation: d.Uint32()}
}

func (d *Decoder) control() Control {
	signal := Signal(d.Choice(byte(BackpressureOff), "control"))
	if signal == 0 {
		return Control{}
	}
	return Control{Signal: signal, Grace: time.Duration(d.Int()), Level: math.Float32frombits(d.Uint32())}
}

func appendEvent(b []byte, e *Event) []byte {
	b = append(b, byte(e.Trigger))
	b = e.Link.Append(b)
	b = AppendText(b, e.Daemon)
	b = AppendUint(b, e.Epoch)
	b = AppendUint(b, uint64(e.Incarnation))
	b = AppendText(b, e.Source)
	b = append(b, byte(e.ID.form))
	switch e.ID.form {
	case numberID:
		b = AppendUint(b, e.ID.number)
	case textID:
		b = AppendText(b, e.ID.text)
	}
	b = AppendText(b, e.Topic)
	b = AppendInt(b, e.Time)
	b = AppendInt(b, e.Wall)
	b = AppendUint(b, e.Missed)
	b = AppendText(b, e.Failed)
	return AppendBytes(b, e.Payload)
}

func (d *Decoder) event() Event {
	return Event{
		Trigger: Trigger(d.Choice(byte(Reading), "trigger")), Link: d.link(),
		Daemon: DaemonID(d.Text()), Epoch: d.Uint(), Incarnation: d.Uint32(),
		Source: d.Text(), ID: d.id(), Topic: d.Text(), Time: d.Int(), Wall: d.Int(),
		Missed: d.Uint(), Failed: d.Text(), Payload: d.Bytes(),
	}
}

func (d *Decoder) id() ID {
	switch idForm(d.Choice(byte(textID), "form of id")) {
	case numberID:
		return NumberID(d.Uint())
	case textID:
		return TextID(d.Text())
	}
	return ID{}
}
