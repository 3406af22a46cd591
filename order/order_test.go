package order_test

import (
	"testing"

	"github.com/edge-agent/edge-agent/order"
)

func TestAssignmentIsKeptWithWhatItDoesNotKnow(t *testing.T) {
	const written = `{"v":1, "generation":1, "term":0, "state":"run", "force":false, "epoch":1, "spec":{"kind":"threshold",
		"inputs":[{"topic":"plant/+/t","format":"raw","qos":1,"id":{"json":"/seq"},"source":{"json":"/dev"}}],
		"outputs":[], "requires":"", "durability":"sync", "snapshot":{"every":"90s","events":1000}, "hue":{"b":1,"a":[2]}}}`
	const want = `{"v":1,"term":0,"generation":1,"epoch":1,"state":"run","spec":{"kind":"threshold","config":{},` +
		`"inputs":[{"topic":"plant/+/t","format":"raw","id":{"json":"/seq"},"source":{"json":"/dev"},"qos":1}],` +
		`"durability":"sync","snapshot":{"events":1000,"every":"1m30s"},"hue":{"a":[2],"b":1}}}`
	var a order.Assignment
	if err := order.Parse([]byte(written), &a); err != nil {
		t.Fatal(err)
	}
	got, err := order.Encode(&a)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if s := order.Strangers(&a); len(s) != 1 || s[0].Path != "spec.hue" {
		t.Errorf("strangers: %+v", s)
	}
}
