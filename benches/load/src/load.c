/* load: HTTP/1.1 load generator (one thread, epoll), JSON report on stdout.
 *
 *   load closed --port P -c 32 -d 4 [-w 1]         closed loop: as fast as answers come
 *   load open   --port P -c 64 -d 6 -R 2000 [-w 1] open loop: constant rate; latency counted from
 *                                                  the moment a request was due, so a stalled
 *                                                  proxy is charged for the requests it held up
 *   load count  --port P -c 1 -n 2000              an exact number of requests
 *   load idle   --port P -c 1000 [-d 30]           open connections, one request each, then hold;
 *                                                  prints "ready" and waits for end of stdin or -d;
 *                                                  64 requests under way, or with --at-once all
 *
 * Options: --path /predict  --body-bytes N (JSON padded to N)  --chunked (request body chunked)
 *          --method POST  --close (new connection per request)  --poisson (open: random arrivals)
 *          --header 'Name: value' (once)
 */
#include "common.h"
#include <math.h>

#define MAXBODY (64u << 20)
/* log-linear histogram, 128 steps per power of two: error under 0.8 % */
#define SUB 7
#define HIST ((64 - SUB) << SUB)
static uint64_t hist[HIST], hist_svc[HIST];
static unsigned hidx(uint64_t v) {
    if (v < (1u << SUB)) return (unsigned)v;
    unsigned m = 63u - (unsigned)__builtin_clzll(v);
    return ((m - SUB + 1) << SUB) + (unsigned)((v >> (m - SUB)) - (1u << SUB));
}
static double hval(unsigned i) {
    if (i < (1u << SUB)) return i;
    unsigned m = (i >> SUB) + SUB - 1, s = i & ((1u << SUB) - 1);
    return (double)(((uint64_t)(s + (1u << SUB))) << (m - SUB)) + 0.5 * (double)(1ull << (m - SUB));
}
static double quant(const uint64_t *h, double q) {
    uint64_t n = 0, k = 0, want;
    for (unsigned i = 0; i < HIST; i++) n += h[i];
    if (!n) return 0;
    want = (uint64_t)ceil(q * (double)n); if (!want) want = 1;
    for (unsigned i = 0; i < HIST; i++) if ((k += h[i]) >= want) return hval(i) / 1000.0;
    return 0;
}

struct conn {
    int fd, busy, state, status, close_seen, want_out, connected;
    size_t out_off; int req;
    uint64_t due, sent;
    int64_t left;                  /* body bytes left; -1: chunked; -2: until close */
    size_t hn; char head[16384];   /* response head, then chunk-size lines */
    uint64_t chunk_left; int chunk_state;
};
static int ep, port, nconn = 1, use_close, poisson, at_once, body_bytes, chunked_req;
static double dur = 4, warm = 1, rate; static uint64_t count;
static const char *path = "/predict", *method = "POST", *extra = "";
static struct { char *p; size_t n; } reqs[16]; static int nreq; static unsigned turn;
static struct conn *conns, **idle; static int idle_n;
static uint64_t done, errors, non2xx, bytes_in, connects, t_start, t_measure, t_end, done_meas, late_max, sent_total;
static int measuring;
static char rbuf[1 << 18];

static void build_requests(void) {
    static const double f[16][4] = {{5.1,3.5,1.4,0.2},{6.7,3.0,5.2,2.3},{5.9,3.0,4.2,1.5},{4.9,3.0,1.4,0.2},{7.0,3.2,4.7,1.4},{6.3,3.3,6.0,2.5},{5.8,2.7,5.1,1.9},{6.4,3.2,4.5,1.5},
        {5.0,3.6,1.4,0.2},{7.1,3.0,5.9,2.1},{6.9,3.1,4.9,1.5},{4.6,3.1,1.5,0.2},{5.5,2.3,4.0,1.3},{6.5,3.0,5.8,2.2},{5.4,3.9,1.7,0.4},{6.0,2.9,4.5,1.5}};
    nreq = body_bytes > 65536 ? 1 : 16;
    for (int i = 0; i < nreq; i++) {
        char j[256]; int jl = snprintf(j, sizeof j, "{\"sepal_length\":%.1f,\"sepal_width\":%.1f,\"petal_length\":%.1f,\"petal_width\":%.1f}", f[i][0], f[i][1], f[i][2], f[i][3]);
        size_t bl = (size_t)jl; int has_body = strcmp(method, "GET") != 0;
        if (body_bytes > jl + 10) bl = (size_t)body_bytes;
        if (!has_body) bl = 0;
        char *p = xmalloc(bl + 2048), *body = xmalloc(bl + 1);
        if (has_body) {
            if (bl == (size_t)jl) memcpy(body, j, bl);
            else { memcpy(body, j, (size_t)jl - 1); memcpy(body + jl - 1, ",\"pad\":\"", 8); memset(body + jl + 7, 'x', bl - (size_t)jl - 9); memcpy(body + bl - 2, "\"}", 2); }
        }
        int n = snprintf(p, 2000, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: bench\r\nAccept: */*\r\n%s%s%s", method, path, port, use_close ? "Connection: close\r\n" : "", extra, *extra ? "\r\n" : "");
        if (has_body) n += snprintf(p + n, 200, "Content-Type: application/json\r\n");
        if (has_body && chunked_req) n += snprintf(p + n, 200, "Transfer-Encoding: chunked\r\n\r\n%zx\r\n", bl);
        else if (has_body) n += snprintf(p + n, 200, "Content-Length: %zu\r\n\r\n", bl);
        else n += snprintf(p + n, 200, "\r\n");
        memcpy(p + n, body, bl);
        size_t t = (size_t)n + bl;
        if (has_body && chunked_req) { memcpy(p + t, "\r\n0\r\n\r\n", 7); t += 7; }
        free(body);
        reqs[i].p = p; reqs[i].n = t;
    }
}
static void watch(struct conn *c, int out, int op) {
    struct epoll_event e = {.events = EPOLLIN | (out ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(ep, op, c->fd, &e); c->want_out = out;
}
static void fail(struct conn *c, const char *why);
static int open_conn(struct conn *c) {
    c->fd = connect_to(port); connects++;
    if (c->fd < 0) return -1;
    c->connected = 1;
    watch(c, 0, EPOLL_CTL_ADD);
    return 0;
}
static int complain;
static void drop(struct conn *c) { if (c->fd >= 0) close(c->fd); c->fd = -1; }
static void push_out(struct conn *c) {
    while (c->out_off < reqs[c->req].n) {
        ssize_t w = send(c->fd, reqs[c->req].p + c->out_off, reqs[c->req].n - c->out_off, MSG_NOSIGNAL);
        if (w < 0) {
            if (errno == EAGAIN || errno == ENOTCONN) { if (!c->want_out) watch(c, 1, EPOLL_CTL_MOD); return; }
            fail(c, "send"); return;
        }
        c->out_off += (size_t)w;
    }
    if (c->want_out) watch(c, 0, EPOLL_CTL_MOD);
}
static void start(struct conn *c, uint64_t due) {
    if (c->fd < 0 && open_conn(c)) { c->busy = 1; c->due = due; fail(c, "connect"); return; }
    c->busy = 1; c->due = due; c->sent = now_ns(); c->out_off = 0; c->req = (int)(turn++ % (unsigned)nreq);
    c->state = 0; c->hn = 0; c->close_seen = 0; sent_total++;
    if (c->sent > due && c->sent - due > late_max) late_max = c->sent - due;
    push_out(c);
}
static void finished(struct conn *c) {
    uint64_t t = now_ns();
    if (measuring) {
        done_meas++; if (c->status < 200 || c->status > 299) non2xx++;
        hist[hidx(t - c->due)]++; hist_svc[hidx(t - c->sent)]++;
    }
    done++; c->busy = 0;
    if (c->close_seen || use_close) drop(c);
    idle[idle_n++] = c;
}
static void fail(struct conn *c, const char *why) {
    if (complain++ < 3) fprintf(stderr, "load: %s: %s\n", why, strerror(errno));
    errors++; drop(c);
    if (c->busy) { c->busy = 0; idle[idle_n++] = c; }
}
/* Feed response bytes. */
static void feed(struct conn *c, const char *b, size_t n) {
    while (n) {
        if (!c->busy) { if (complain++ < 3) fprintf(stderr, "load: bytes without a request\n"); errors++; drop(c); return; }
        if (c->state == 0) {                       /* head */
            size_t room = sizeof c->head - c->hn, k = n < room ? n : room, old = c->hn;
            memcpy(c->head + c->hn, b, k); c->hn += k;
            size_t from = old > 3 ? old - 3 : 0, he = head_end(c->head + from, c->hn - from);
            if (!he) { if (c->hn == sizeof c->head) fail(c, "head too long"); return; }
            he += from;
            b += he - old; n -= he - old; c->hn = he;
            c->status = atoi(c->head + 9);
            if (c->status == 100) { c->hn = 0; continue; }
            const char *h = header(c->head, he, "connection:");
            c->close_seen = (h && !strncasecmp(h, "close", 5)) || !strncmp(c->head, "HTTP/1.0", 8);
            c->state = 1; c->chunk_state = 0; c->hn = 0; c->chunk_left = 0;
            if ((h = header(c->head, he, "content-length:"))) c->left = strtoll(h, NULL, 10);
            else if ((h = header(c->head, he, "transfer-encoding:"))) c->left = -1;
            else c->left = c->status == 204 ? 0 : -2;
            if (!c->left) { finished(c); continue; }
            continue;
        }
        if (c->left == -2) return;
        if (c->left >= 0) {
            uint64_t k = n < (uint64_t)c->left ? n : (uint64_t)c->left;
            c->left -= (int64_t)k; b += k; n -= k;
            if (!c->left) finished(c);
            continue;
        }
        /* chunked: 0 size line, 1 data, 2 CRLF after data, 3 trailer lines */
        if (c->chunk_state == 1) {
            uint64_t k = n < c->chunk_left ? n : c->chunk_left;
            c->chunk_left -= k; b += k; n -= k;
            if (!c->chunk_left) { c->chunk_state = 2; c->hn = 0; }
            continue;
        }
        char ch = *b++; n--;
        if (ch != '\n') { if (ch != '\r' && c->hn < 64) c->head[c->hn++] = ch; continue; }
        if (c->chunk_state == 2) { c->chunk_state = 0; c->hn = 0; continue; }
        if (c->chunk_state == 3) { if (!c->hn) finished(c); c->hn = 0; continue; }
        c->head[c->hn] = 0; c->chunk_left = strtoull(c->head, NULL, 16); c->hn = 0;
        c->chunk_state = c->chunk_left ? 1 : 3;
    }
}
static void on_event(struct conn *c, uint32_t ev) {
    if (c->fd < 0) return;
    if ((ev & EPOLLOUT) && c->busy) { push_out(c); if (c->fd < 0) return; }
    if (!(ev & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
    ssize_t r = recv(c->fd, rbuf, sizeof rbuf, 0);
    if (r < 0 && (errno == EAGAIN)) return;
    if (r <= 0) {
        if (c->busy && c->state == 1 && c->left == -2) { c->close_seen = 1; finished(c); return; }
        if (c->busy) fail(c, r ? "recv" : "closed early"); else drop(c);
        return;
    }
    if (measuring) bytes_in += (uint64_t)r;
    feed(c, rbuf, (size_t)r);
}
static void report(const char *mode) {
    double secs = (double)(t_end - t_measure) / 1e9;
    printf("{\"mode\":\"%s\",\"requests\":%llu,\"errors\":%llu,\"non2xx\":%llu,\"seconds\":%.4f,\"rps\":%.2f,\"mb_in_per_s\":%.2f,\"connects\":%llu,"
           "\"p50_us\":%.2f,\"p90_us\":%.2f,\"p99_us\":%.2f,\"p999_us\":%.2f,\"max_us\":%.2f,\"svc_p50_us\":%.2f,\"svc_p99_us\":%.2f,\"late_max_us\":%.1f,\"total_requests\":%llu}\n",
           mode, (unsigned long long)done_meas, (unsigned long long)errors, (unsigned long long)non2xx, secs, (double)done_meas / secs, (double)bytes_in / secs / 1e6, (unsigned long long)connects,
           quant(hist, .5), quant(hist, .9), quant(hist, .99), quant(hist, .999), quant(hist, 1), quant(hist_svc, .5), quant(hist_svc, .99), (double)late_max / 1000, (unsigned long long)done);
}
static void begin_measure(uint64_t t) {
    measuring = 1; t_measure = t; fprintf(stderr, "measure\n"); fflush(stderr);
}
int main(int argc, char **argv) {
    if (argc < 2) { fprintf(stderr, "usage: load closed|open|count|idle --port P ...\n"); return 2; }
    const char *mode = argv[1];
    for (int i = 2; i < argc; i++) {
        const char *a = argv[i], *v = i + 1 < argc ? argv[i + 1] : "";
        if (!strcmp(a, "--close")) use_close = 1;
        else if (!strcmp(a, "--poisson")) poisson = 1;
        else if (!strcmp(a, "--chunked")) chunked_req = 1;
        else if (!strcmp(a, "--at-once")) at_once = 1;
        else {
            i++;
            if (!strcmp(a, "--port")) port = atoi(v); else if (!strcmp(a, "-c")) nconn = atoi(v);
            else if (!strcmp(a, "-d")) dur = atof(v); else if (!strcmp(a, "-w")) warm = atof(v);
            else if (!strcmp(a, "-R")) rate = atof(v); else if (!strcmp(a, "-n")) count = strtoull(v, NULL, 10);
            else if (!strcmp(a, "--path")) path = v; else if (!strcmp(a, "--method")) method = v;
            else if (!strcmp(a, "--body-bytes")) body_bytes = atoi(v); else if (!strcmp(a, "--header")) extra = v;
            else { fprintf(stderr, "load: unknown option %s\n", a); return 2; }
        }
    }
    if (!port || body_bytes > (int)MAXBODY) { fprintf(stderr, "load: --port wanted\n"); return 2; }
    signal(SIGPIPE, SIG_IGN); prctl(PR_SET_TIMERSLACK, 1); raise_nofile();
    build_requests();
    ep = epoll_create1(EPOLL_CLOEXEC);
    conns = calloc((size_t)nconn, sizeof *conns); idle = calloc((size_t)nconn + 1, sizeof *idle);
    for (int i = nconn - 1; i >= 0; i--) { conns[i].fd = -1; idle[idle_n++] = &conns[i]; }
    struct epoll_event evs[512];
    int is_open = !strcmp(mode, "open"), is_count = !strcmp(mode, "count"), is_idle = !strcmp(mode, "idle");
    if (is_open && rate <= 0) { fprintf(stderr, "load: open wants -R\n"); return 2; }
    if (is_idle) {                                  /* one request per connection */
        int next = 0, inflight_cap = at_once ? nconn : 64;
        idle_n = 0;
        while (done + errors < (uint64_t)nconn) {
            while (next < nconn && (uint64_t)next - done - errors < (uint64_t)inflight_cap) start(&conns[next++], now_ns());
            int n = epoll_wait(ep, evs, 512, 30000);
            if (n <= 0) { fprintf(stderr, "load: stuck at %llu of %d\n", (unsigned long long)done, nconn); break; }
            for (int i = 0; i < n; i++) on_event(evs[i].data.ptr, evs[i].events);
            if (idle_n > nconn) idle_n = 0;
            idle_n = 0;
        }
        int open_n = 0; for (int i = 0; i < nconn; i++) open_n += conns[i].fd >= 0;
        printf("ready %d open, %llu errors\n", open_n, (unsigned long long)errors); fflush(stdout);
        fd_set s; FD_ZERO(&s); FD_SET(0, &s); struct timeval tv = {(time_t)dur, 0};
        select(1, &s, NULL, NULL, &tv);
        return 0;
    }
    t_start = now_ns();
    if (is_count) { begin_measure(t_start); while (idle_n && sent_total < count) start(idle[--idle_n], now_ns());
        while (done + errors < count) {
            int n = epoll_wait(ep, evs, 512, 20000);
            if (n <= 0) { fprintf(stderr, "load: no answer\n"); break; }
            for (int i = 0; i < n; i++) on_event(evs[i].data.ptr, evs[i].events);
            while (idle_n && sent_total < count) start(idle[--idle_n], now_ns());
        }
        t_end = now_ns(); report(mode); return errors ? 1 : 0;
    }
    uint64_t stop = t_start + (uint64_t)((warm + dur) * 1e9), warm_at = t_start + (uint64_t)(warm * 1e9);
    double gap = rate > 0 ? 1e9 / rate : 0, next_due = (double)t_start;
    unsigned short seed[3] = {1, 2, 3};
    for (;;) {
        uint64_t t = now_ns();
        if (!measuring && t >= warm_at) begin_measure(t);
        if (t >= stop) break;
        struct timespec ts, *tp = &ts; uint64_t wait = stop - t;
        if (!is_open) while (idle_n) { start(idle[--idle_n], now_ns()); }
        else {
            while (idle_n && next_due <= (double)t) {
                start(idle[--idle_n], (uint64_t)next_due);
                next_due += poisson ? -log(1 - erand48(seed)) * gap : gap;
            }
            if (idle_n && next_due - (double)t < (double)wait) wait = (uint64_t)(next_due - (double)t);
        }
        ts.tv_sec = (time_t)(wait / 1000000000ull); ts.tv_nsec = (long)(wait % 1000000000ull);
        int n = epoll_pwait2(ep, evs, 512, tp, NULL);
        for (int i = 0; i < n; i++) on_event(evs[i].data.ptr, evs[i].events);
    }
    t_end = now_ns();
    /* requests that were due but never answered count as the time they had waited so far */
    if (is_open) {
        for (int i = 0; i < nconn; i++) if (conns[i].busy) hist[hidx(t_end - conns[i].due)]++;
        while (next_due < (double)t_end) { hist[hidx((uint64_t)((double)t_end - next_due))]++; next_due += gap; }
    }
    report(mode);
    return 0;
}
