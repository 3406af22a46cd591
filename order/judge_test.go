package order_test

import (
	"testing"

	"github.com/edge-agent/edge-agent/order"
	"pgregory.net/rapid"
)

// given is an assignment of a body that differs from others by its color.
func given(term, generation, epoch uint64, color string) order.Assignment {
	return order.Assignment{
		Term: term, Generation: generation, Epoch: epoch, State: order.Run,
		Spec: order.Spec{Kind: "ewma", Config: []byte(`{"color":"` + color + `"}`)},
	}
}

func TestAssignmentsAreJudged(t *testing.T) {
	held := order.Held{Seen: 5, Term: 3, Generation: 10, Epoch: 4, Body: given(3, 10, 4, "red").Body()}
	byHand := order.Held{Seen: 5, Generation: 10, Epoch: 4, Body: given(0, 10, 4, "red").Body()}
	forced := given(0, 1, 0, "red")
	forced.Force = true
	tests := []struct {
		name string
		held order.Held
		next order.Assignment
		want order.Verdict
	}{
		{"the first of all", order.Held{}, given(0, 1, 0, "red"), order.Verdict{Action: order.Apply, Epoch: 1}},
		{"the first of a daemon from elsewhere", order.Held{Seen: 5}, given(5, 1, 7, "red"),
			order.Verdict{Action: order.Apply, Epoch: 7}},
		{"a higher generation", byHand, given(0, 11, 0, "blue"), order.Verdict{Action: order.Apply, Epoch: 4}},
		{"a higher epoch", byHand, given(0, 11, 6, "red"), order.Verdict{Action: order.Apply, Epoch: 6}},
		{"the same again", byHand, given(0, 10, 4, "red"), order.Verdict{Action: order.Repeat, Epoch: 4}},
		{"the same again without an epoch", byHand, given(0, 10, 0, "red"), order.Verdict{Action: order.Repeat, Epoch: 4}},
		{"another body", byHand, given(0, 10, 4, "blue"), order.Verdict{Reason: order.Conflict, Seen: 10}},
		{"another epoch", byHand, given(0, 10, 5, "red"), order.Verdict{Reason: order.Conflict, Seen: 10}},
		{"a lower generation", byHand, given(0, 9, 0, "red"), order.Verdict{Reason: order.Stale, Seen: 10}},
		{"a lower epoch", byHand, given(0, 11, 3, "red"), order.Verdict{Reason: order.StaleEpoch, Seen: 4}},
		{"a controller after a hand", byHand, given(5, 1, 0, "red"), order.Verdict{Action: order.Apply, Epoch: 4}},
		{"a controller older than one seen", byHand, given(4, 11, 0, "red"), order.Verdict{Reason: order.StaleTerm, Seen: 5}},
		{"a controller that was rebuilt", held, given(6, 1, 0, "red"), order.Verdict{Action: order.Apply, Epoch: 4}},
		{"a hand after a controller", held, given(0, 11, 0, "red"), order.Verdict{Reason: order.StaleTerm, Seen: 3}},
		{"a hand with force", held, forced, order.Verdict{Action: order.Apply, Epoch: 4}},
		{"a term far ahead", held, given(5+1<<20+1, 11, 0, "red"), order.Verdict{Reason: order.Jump, Seen: 5}},
		{"a term as far as may be", held, given(5+1<<20, 11, 0, "red"), order.Verdict{Action: order.Apply, Epoch: 4}},
		{"a generation far ahead", byHand, given(0, 10+1<<20+1, 0, "red"), order.Verdict{Reason: order.Jump, Seen: 10}},
		{"an epoch far ahead", byHand, given(0, 11, 4+1<<20+1, "red"), order.Verdict{Reason: order.Jump, Seen: 4}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.held.Judge(test.next); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestHeldNumbersNeverFallWithoutForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var held order.Held
		small := rapid.Uint64Range(0, 4)
		for range rapid.IntRange(1, 30).Draw(t, "assignments") {
			a := given(small.Draw(t, "term"), 1+small.Draw(t, "generation"), small.Draw(t, "epoch"),
				rapid.SampledFrom([]string{"red", "blue"}).Draw(t, "color"))
			v := held.Judge(a)
			if v.Action == order.Refuse {
				if v.Reason == "" {
					t.Fatalf("%+v refuses %+v without a reason", held, a)
				}
				continue
			}
			next := held.After(a, v)
			if next.Epoch < held.Epoch || next.Term < held.Term || next.Epoch == 0 ||
				next.Term == held.Term && next.Generation < held.Generation {
				t.Fatalf("%+v became %+v", held, next)
			}
			if v.Action == order.Repeat && next != held {
				t.Fatalf("a repetition changes %+v to %+v", held, next)
			}
			if again := next.Judge(a); again.Action != order.Repeat {
				t.Fatalf("%+v sent again is %+v", a, again)
			}
			held = next
		}
	})
}

func TestBodyIsNamedByItsContent(t *testing.T) {
	const (
		spec = `{"kind":"threshold","config":{"limit":5},"inputs":[{"topic":"plant/+/t"}]}`
		// of {"term":0,"generation":0,"state":"run","spec":…} with the spec above, by sha256sum
		want = "438676d9dd2f085a5f3857e35d623f0e"
	)
	for name, text := range map[string]string{
		"as it is":      `{"v":1,"term":0,"generation":1,"state":"run","spec":` + spec + `}`,
		"other numbers": `{"v":1,"term":9,"generation":4,"epoch":2,"force":true,"state":"run","spec":` + spec + `}`,
		"another order": `{"spec":{"inputs":[ {"topic":"plant/+/t"} ],"config":{ "limit":5 },"kind":"threshold"},` +
			`"state":"run","generation":1,"v":1}`,
	} {
		var a order.Assignment
		if err := order.Parse([]byte(text), &a); err != nil {
			t.Fatal(err)
		}
		if got := a.Body(); got != want {
			t.Errorf("%s: got %s", name, got)
		}
	}
	if given(0, 1, 0, "red").Body() == given(0, 1, 0, "blue").Body() {
		t.Error("two bodies have one name")
	}
}
