package bench

import (
	"context"
	"testing"
)

func TestPlainProgramIsMeasured(t *testing.T) {
	url, _, stop, err := Broker(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}()
	rows, err := Run(context.Background(), url, Options{Events: 200, Rounds: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.Side != "plain program" || r.Rate <= 0 || r.RoundTrip <= 0 {
			t.Errorf("%+v", r)
		}
	}
	if len(rows) != 2 || rows[0].QoS != 0 || rows[1].QoS != 1 {
		t.Errorf("%+v", rows)
	}
}
