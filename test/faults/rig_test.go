// Package faults runs the agent as it is shipped on disks that fail and lose power, over a real broker, and looks
// whether it kept its word. It is a module of its own, so that nothing else needs FUSE, root or loop devices.
package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/mqtt"
	"github.com/edge-agent/edge-agent/order"
	"github.com/edge-agent/edge-agent/test/faults/lossy"
)

// patience is how long anything may take that must happen; it is far beyond what is seen.
const patience = 60 * time.Second

// program is the agent under test, built once.
var program string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "faults")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "edge-agent")
	build := exec.Command("go", "build", "-o", program, "./cmd/edge-agent")
	build.Dir, build.Env = "../..", append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the agent: %v\n%s", err, said)
		return 1
	}
	return m.Run()
}

// rounds is how often to do something: all of it under CI_LONG, a tenth otherwise.
func rounds(full int) int {
	if os.Getenv("CI_LONG") != "" {
		return full
	}
	return max(full/10, 1)
}

// disk is where an agent keeps its state.
type disk interface {
	mount(t *testing.T) (dir string)
	unmount(t *testing.T)
}

// rig is an agent in a process group of its own, on a disk of its own, and somebody on its broker.
type rig struct {
	t     *testing.T
	url   string
	fleet order.Fleet
	node  mesh.NodeID
	disk  disk
	dir   string // the state directory
	*peer

	process *exec.Cmd
	ended   chan struct{}
	log     string // its path
}

func newRig(t *testing.T, d disk) *rig {
	t.Helper()
	r := &rig{t: t, url: broker(t), fleet: "test", node: "n1", disk: d, log: filepath.Join(t.TempDir(), "agent.log")}
	r.dir = d.mount(t)
	t.Cleanup(func() {
		r.kill()
		r.disk.unmount(t)
		if t.Failed() {
			said, _ := os.ReadFile(r.log)
			t.Logf("the agent's log:\n%s", said[max(len(said)-8000, 0):])
		}
	})
	r.peer = newPeer(t, r.url, r.fleet.Root()+"/#")
	return r
}

// launch starts the agent, with whatever it starts itself in one process group.
func (r *rig) launch() {
	r.t.Helper()
	log, err := os.OpenFile(r.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		r.t.Fatal(err)
	}
	defer log.Close()
	r.process = exec.Command(program, "run", "--broker", r.url, "--fleet", string(r.fleet), "--node", string(r.node),
		"--state-dir", r.dir)
	r.process.Env = append(os.Environ(), "EDGE_AGENT_CONFIG=")
	r.process.Stdout, r.process.Stderr = log, log
	r.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := r.process.Start(); err != nil {
		r.t.Fatal(err)
	}
	process, ended := r.process, make(chan struct{})
	r.ended = ended
	go func() {
		process.Wait()
		close(ended)
	}()
}

// kill ends the agent and its children at once.
func (r *rig) kill() {
	if r.process == nil {
		return
	}
	syscall.Kill(-r.process.Process.Pid, syscall.SIGKILL)
	<-r.ended
	r.process = nil
}

// power ends the agent, whose disk was cut, and starts it on what is left.
func (r *rig) power() {
	r.t.Helper()
	r.kill()
	r.disk.unmount(r.t)
	r.dir = r.disk.mount(r.t)
	r.launch()
}

// ready waits until the agent takes orders.
func (r *rig) ready() {
	r.t.Helper()
	r.until("the agent to be ready", func() bool {
		select {
		case <-r.ended:
			r.t.Fatal("the agent has ended by itself")
		default:
		}
		var s struct{ State order.Life }
		_, err := r.get("/state", &s)
		return err == nil && s.State == order.Ready
	})
}

// door is a client of the local door.
func (r *rig) door() *http.Client {
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(r.dir, "agent.sock"))
		},
		DisableKeepAlives: true,
	}}
}

// get asks the local door.
func (r *rig) get(path string, into any) (status int, err error) {
	answer, err := r.door().Get("http://agent" + path)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	return answer.StatusCode, json.NewDecoder(answer.Body).Decode(into)
}

// snapshot has a daemon's state written.
func (r *rig) snapshot(id mesh.DaemonID) {
	r.t.Helper()
	answer, err := r.door().Post("http://agent/daemons/"+string(id)+"/snapshot", "", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		r.t.Fatalf("a snapshot of %s is answered with %s", id, answer.Status)
	}
}

// running assigns a spec and waits until the daemon runs.
func (r *rig) running(id mesh.DaemonID, spec string) {
	r.t.Helper()
	assignment := `{"v":1,"term":0,"generation":1,"state":"run","spec":` + spec + `}`
	if err := r.say(r.fleet.Assigned(r.node, id), true, assignment); err != nil {
		r.t.Fatal(err)
	}
	topic := r.fleet.Report(r.node, id)
	r.until("daemon "+string(id)+" to run", func() bool {
		var report order.Report
		last := r.last(topic)
		return last != nil && order.Parse(last, &report) == nil && report.State == order.Running
	})
}

func (r *rig) until(what string, reached func() bool) {
	r.t.Helper()
	if !within(patience, reached) {
		r.t.Fatalf("waited %s for %s", patience, what)
	}
}

func within(limit time.Duration, reached func() bool) bool {
	for deadline := time.Now().Add(limit); !reached(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// lossyDisk is a disk of package lossy under a mount point.
type lossyDisk struct {
	*lossy.Disk
	detach func() error
}

func newLossy() *lossyDisk { return &lossyDisk{Disk: lossy.New()} }

func (d *lossyDisk) mount(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	detach, err := d.Disk.Mount(dir)
	if err != nil {
		t.Skipf("no FUSE: it needs /dev/fuse, and root or fusermount3: %v", err)
	}
	d.detach = detach
	return filepath.Join(dir, "state") // the agent makes it: its name must survive too
}

func (d *lossyDisk) unmount(t *testing.T) {
	t.Helper()
	if d.detach == nil {
		return
	}
	if err := d.detach(); err != nil {
		t.Error(err)
	}
	d.detach = nil
}

// broker starts Mosquitto where it is installed, else the embedded broker; both keep what was not acknowledged.
func broker(t *testing.T) (url string) {
	t.Helper()
	name, err := exec.LookPath("mosquitto")
	if err != nil {
		name, err = exec.LookPath("/usr/sbin/mosquitto")
	}
	if err != nil {
		b, err := mqtt.OpenBroker(mqtt.BrokerOptions{Listen: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		return "tcp://" + b.Addrs()[0].String()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	l.Close()
	config := filepath.Join(t.TempDir(), "mosquitto.conf")
	text := fmt.Sprintf("listener %s 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nmax_queued_messages 100000\n"+
		"max_inflight_messages 1000\npersistence false\n", at[strings.LastIndexByte(at, ':')+1:])
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	process := exec.Command(name, "-c", config)
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		process.Process.Kill()
		process.Wait()
	})
	if !within(patience, func() bool {
		c, err := net.Dial("tcp", at)
		if err == nil {
			c.Close()
		}
		return err == nil
	}) {
		t.Fatal("mosquitto does not listen on", at)
	}
	return "tcp://" + at
}
