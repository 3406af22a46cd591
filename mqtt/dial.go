package mqtt

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"golang.org/x/net/proxy"
)

// writeTimeout is how long a connection may refuse to take a burst before it counts as lost.
const writeTimeout = 30 * time.Second

var errPEM = errors.New("no certificate in it")

// ports are the default ports of the schemes that can be dialled.
var ports = map[string]string{
	"tcp": "1883", "mqtt": "1883", "tls": "8883", "ssl": "8883", "mqtts": "8883", "ws": "80", "wss": "443",
}

func parseBroker(s string) (*url.URL, error) {
	u, err := parseURL(s)
	if err != nil {
		return nil, fmt.Errorf("broker address: %w", err)
	}
	port, ok := ports[u.Scheme]
	if !ok || u.Hostname() == "" {
		return nil, fmt.Errorf("broker address %q: want tcp://HOST:PORT, tls://, ws:// or wss://", u.Redacted())
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), port)
	}
	return u, nil
}

// parseURL keeps what it cannot read out of its error: there may be a password in it.
func parseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	var wrong *url.Error
	if errors.As(err, &wrong) {
		err = wrong.Err
	}
	return u, err
}

// display is a broker's address without its password.
func display(broker string) string {
	if u, err := url.Parse(broker); err == nil {
		return u.Redacted()
	}
	return "broker"
}

// userOf returns the name and password of a broker's address.
func userOf(broker string) (user, password string, ok bool) {
	u, err := url.Parse(broker)
	if err != nil || u.User == nil {
		return "", "", false
	}
	password, _ = u.User.Password()
	return u.User.Username(), password, true
}

// dial opens the connection that MQTT packets travel on.
func (o *Options) dial(ctx context.Context, broker string) (net.Conn, error) {
	u, err := parseBroker(broker)
	if err != nil {
		return nil, err
	}
	switch u.Scheme {
	case "ws", "wss":
		return o.dialWebSocket(ctx, u)
	case "tls", "ssl", "mqtts":
		return o.dialTLS(ctx, u)
	default:
		return o.dialTCP(ctx, u)
	}
}

func (o *Options) dialTLS(ctx context.Context, u *url.URL) (net.Conn, error) {
	config, err := o.TLS.config(u.Hostname())
	if err != nil {
		return nil, err
	}
	raw, err := o.dialTCP(ctx, u)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("tls: %w", err), raw.Close())
	}
	return conn, nil
}

func (t *TLS) config(host string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: cmp.Or(t.Server, host), NextProtos: t.ALPN}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("certificate authority: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("certificate authority %s: %w", t.CA, errPEM)
		}
	}
	if t.Cert != "" || t.Key != "" {
		cert, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("client certificate: %w", err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	return c, nil
}

// dialTCP connects to the host of a URL, through a proxy where one is set.
func (o *Options) dialTCP(ctx context.Context, u *url.URL) (net.Conn, error) {
	via, err := o.via(u)
	if err != nil {
		return nil, err
	}
	return via.DialContext(ctx, "tcp", u.Host)
}

// via finds the way to a URL. In the environment, HTTP_PROXY and HTTPS_PROXY hold for ws and wss, ALL_PROXY for
// whatever they leave, and NO_PROXY names the exceptions; this machine is always reached directly.
func (o *Options) via(u *url.URL) (proxy.ContextDialer, error) {
	switch o.Proxy {
	case "none":
		return &net.Dialer{}, nil
	case "":
		return environment(u)
	}
	via, err := parseURL(o.Proxy)
	if err != nil {
		return nil, fmt.Errorf("proxy address: %w", err)
	}
	return through(via)
}

func environment(u *url.URL) (proxy.ContextDialer, error) {
	if scheme := map[string]string{"ws": "http", "wss": "https"}[u.Scheme]; scheme != "" {
		via, err := http.ProxyFromEnvironment(&http.Request{URL: &url.URL{Scheme: scheme, Host: u.Host}})
		if err != nil {
			return nil, fmt.Errorf("proxy of the environment: %w", err)
		}
		if via != nil {
			return through(via)
		}
	}
	all := cmp.Or(os.Getenv("ALL_PROXY"), os.Getenv("all_proxy"))
	if all == "" {
		return &net.Dialer{}, nil
	}
	via, err := parseURL(all)
	if err != nil {
		return nil, fmt.Errorf("proxy of the environment: %w", err)
	}
	dialer, err := through(via)
	if err != nil {
		return nil, err
	}
	hosts := proxy.NewPerHost(dialer.(proxy.Dialer), &net.Dialer{})
	hosts.AddFromString("localhost,127.0.0.0/8,::1," + cmp.Or(os.Getenv("NO_PROXY"), os.Getenv("no_proxy")))
	return hosts, nil
}

// through returns the way through a proxy.
func through(via *url.URL) (proxy.ContextDialer, error) {
	switch via.Scheme {
	case "http", "https":
		return connectProxy{via}, nil
	case "socks5", "socks5h":
		dialer, err := proxy.FromURL(via, &net.Dialer{})
		if err != nil {
			return nil, fmt.Errorf("proxy %s: %w", via.Redacted(), err)
		}
		return dialer.(proxy.ContextDialer), nil
	}
	return nil, fmt.Errorf("proxy address %q: want http://, https:// or socks5://", via.Redacted())
}

// connectProxy asks an HTTP proxy for a tunnel.
type connectProxy struct{ *url.URL }

func (via connectProxy) Dial(network, host string) (net.Conn, error) {
	return via.DialContext(context.Background(), network, host)
}

func (via connectProxy) DialContext(ctx context.Context, network, host string) (net.Conn, error) {
	port := cmp.Or(via.Port(), map[string]string{"http": "80", "https": "443"}[via.Scheme])
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, net.JoinHostPort(via.Hostname(), port))
	if err != nil {
		return nil, fmt.Errorf("proxy %s: %w", via.Redacted(), err)
	}
	if via.Scheme == "https" {
		conn = tls.Client(conn, &tls.Config{MinVersion: tls.VersionTLS12, ServerName: via.Hostname()})
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := tunnel(conn, via.URL, host); err != nil {
		return nil, errors.Join(fmt.Errorf("proxy %s: %w", via.Redacted(), err), conn.Close())
	}
	return conn, nil
}

func tunnel(conn net.Conn, via *url.URL, host string) error {
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: host}, Host: host, Header: http.Header{}}
	if via.User != nil {
		password, _ := via.User.Password()
		token := base64.StdEncoding.EncodeToString([]byte(via.User.Username() + ":" + password))
		req.Header.Set("Proxy-Authorization", "Basic "+token)
	}
	if err := req.Write(conn); err != nil {
		return err
	}
	// One byte at a time, so that nothing of what the broker says first is read with the answer. MQTT brokers wait for
	// the client, but TLS may not.
	resp, err := http.ReadResponse(bufio.NewReaderSize(&slowly{conn}, 1), req)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("tunnel to %s: %s", host, resp.Status)
	}
	return nil
}

// slowly reads one byte at a time.
type slowly struct{ net.Conn }

func (s *slowly) Read(p []byte) (int, error) { return s.Conn.Read(p[:min(1, len(p))]) }
