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
	b = appendUint(b, uint64(s.Position))
	b = appendText(b, s.Daemon)
	b = appendUint(b, s.Epoch)
	b = appendUint(b, uint64(s.Incarnation))
	b = appendFlags(b, s.Failed, s.Poison)
	b = appendUint(b, uint64(s.At))
	b = appendUint(b, uint64(s.Given))
	b = append(b, byte(s.Control.Signal))
	if s.Control.Signal != 0 {
		b = appendInt(b, int64(s.Control.Grace))
		b = appendUint(b, uint64(math.Float32bits(s.Control.Level)))
	}
	b = appendUint(b, uint64(s.Emitted))
	b = appendHead(b, s.Head)
	b = appendUint(b, uint64(len(s.Tasks)))
	for i := range s.Tasks {
		b = appendTask(b, &s.Tasks[i])
	}
	return appendEvent(b, &s.Event)
}

// ParseStep reads the record of a step, without its outputs.
func ParseStep(b []byte) (Step, error) {
	d := decode(b, stepVersion)
	s := Step{Position: Position(d.uint()), Daemon: DaemonID(d.text()), Epoch: d.uint(), Incarnation: d.uint32()}
	d.flags(&s.Failed, &s.Poison)
	s.At, s.Given = Position(d.uint()), Position(d.uint())
	s.Control = d.control()
	s.Emitted = d.uint32()
	s.Head = d.head()
	s.Tasks = list(&d, taskSize, (*decoder).task)
	s.Event = d.event()
	if err := d.end("step"); err != nil {
		return Step{}, err
	}
	return s, nil
}

// AppendOut adds the record of an output to b.
func AppendOut(b []byte, o *Out) []byte {
	b = append(b, outVersion)
	b = appendUint(b, uint64(o.Position))
	b = appendText(b, o.Daemon)
	b = appendUint(b, o.Epoch)
	b = appendUint(b, uint64(o.Incarnation))
	b = o.Link.Append(b)
	b = appendUint(b, uint64(len(o.Sends)))
	for _, send := range o.Sends {
		b = appendText(b, send.Topic)
		b = append(b, send.QoS)
		b = appendFlags(b, send.Retained)
		b = append(b, byte(send.Format))
	}
	return appendBytes(b, o.Payload)
}

// ParseOut reads the record of an output.
func ParseOut(b []byte) (Out, error) {
	d := decode(b, outVersion)
	o := Out{
		Position: Position(d.uint()), Daemon: DaemonID(d.text()), Epoch: d.uint(), Incarnation: d.uint32(),
		Link: d.link(),
	}
	o.Sends = list(&d, sendSize, (*decoder).send)
	o.Payload = d.bytes()
	if err := d.end("output"); err != nil {
		return Out{}, err
	}
	return o, nil
}

// AppendGiven adds the record of an input that waits to be processed to b.
func AppendGiven(b []byte, g *Given) []byte {
	b = append(b, givenVersion)
	b = appendUint(b, uint64(g.Position))
	b = appendText(b, g.Daemon)
	b = appendUint(b, uint64(g.Attempt))
	b = appendUint(b, uint64(g.At))
	return appendEvent(b, &g.Event)
}

// ParseGiven reads the record of an input that waits to be processed.
func ParseGiven(b []byte) (Given, error) {
	d := decode(b, givenVersion)
	g := Given{
		Position: Position(d.uint()), Daemon: DaemonID(d.text()), Attempt: d.uint32(), At: Position(d.uint()),
		Event: d.event(),
	}
	if err := d.end("given input"); err != nil {
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
	b = appendUint(b, uint64(t.Step))
	b = appendUint(b, uint64(t.Index))
	return appendBytes(b, t.Bytes)
}

func (d *decoder) task() Task {
	t := Task{Step: Position(d.uint())}
	index := d.uint()
	if index > math.MaxUint16 {
		d.fail("task index %d above 16 bits", index)
	}
	t.Index, t.Bytes = uint16(index), d.bytes()
	return t
}

func (d *decoder) send() Send {
	s := Send{Topic: d.text(), QoS: d.choice(2, "quality of service")}
	d.flags(&s.Retained)
	s.Format = Format(d.choice(byte(CloudEvents), "format"))
	return s
}

func appendHead(b []byte, h Head) []byte {
	b = h.Link.Append(b)
	b = appendWord(b, h.Next)
	b = appendUint(b, h.Epoch)
	return appendUint(b, uint64(h.Incarnation))
}

func (d *decoder) head() Head {
	return Head{Link: d.link(), Next: d.word(), Epoch: d.uint(), Incarnation: d.uint32()}
}

func (d *decoder) control() Control {
	signal := Signal(d.choice(byte(BackpressureOff), "control"))
	if signal == 0 {
		return Control{}
	}
	return Control{Signal: signal, Grace: time.Duration(d.int()), Level: math.Float32frombits(d.uint32())}
}

func appendEvent(b []byte, e *Event) []byte {
	b = append(b, byte(e.Trigger))
	b = e.Link.Append(b)
	b = appendText(b, e.Daemon)
	b = appendUint(b, e.Epoch)
	b = appendUint(b, uint64(e.Incarnation))
	b = appendText(b, e.Source)
	b = append(b, byte(e.ID.form))
	switch e.ID.form {
	case numberID:
		b = appendUint(b, e.ID.number)
	case textID:
		b = appendText(b, e.ID.text)
	}
	b = appendText(b, e.Topic)
	b = appendInt(b, e.Time)
	b = appendInt(b, e.Wall)
	b = appendUint(b, e.Missed)
	b = appendText(b, e.Failed)
	return appendBytes(b, e.Payload)
}

func (d *decoder) event() Event {
	return Event{
		Trigger: Trigger(d.choice(byte(Reading), "trigger")), Link: d.link(),
		Daemon: DaemonID(d.text()), Epoch: d.uint(), Incarnation: d.uint32(),
		Source: d.text(), ID: d.id(), Topic: d.text(), Time: d.int(), Wall: d.int(),
		Missed: d.uint(), Failed: d.text(), Payload: d.bytes(),
	}
}

func (d *decoder) id() ID {
	switch idForm(d.choice(byte(textID), "form of id")) {
	case numberID:
		return NumberID(d.uint())
	case textID:
		return TextID(d.text())
	}
	return ID{}
}
