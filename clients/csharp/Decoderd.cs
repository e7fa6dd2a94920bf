// Decoderd.cs: follow and control sessions of decoderd from .NET, Mono or Unity. This one file and the native library
// libzmq are all it needs; the language is C# 7. The protocol is described in decoderd/wire/specification/README.md.
using System;
using System.Collections;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;

namespace Decoderd
{
    /// <summary>Maps to bytes and back. Values are null, bool, long, ulong (what is larger), double, string, byte[],
    /// List&lt;object&gt; and Dictionary&lt;string, object&gt;.</summary>
    public static class MessagePack
    {
        const int Depth = 32; // of maps and lists in one another: more than the protocol has
        static readonly UTF8Encoding Utf8 = new UTF8Encoding(false, true);

        /// <summary>A value of a type that the protocol does not use.</summary>
        public sealed class Extension { }

        /// <summary>One map with text keys. Throws FormatException for bytes that are not that and nothing more.</summary>
        public static Dictionary<string, object> ReadMap(byte[] bytes)
        {
            int at = 0;
            object value = Read(bytes, ref at, Depth);
            if (at != bytes.Length || !(value is Dictionary<string, object>)) throw new FormatException("not one map");
            return (Dictionary<string, object>)value;
        }

        static object Read(byte[] bytes, ref int at, int depth)
        {
            byte first = (byte)Big(bytes, ref at, 1);
            if (first < 0x80) return (long)first;
            if (first < 0x90) return Map(bytes, ref at, first & 0x0fu, depth);
            if (first < 0xa0) return List(bytes, ref at, first & 0x0fu, depth);
            if (first < 0xc0) return Text(bytes, ref at, first & 0x1fu);
            if (first >= 0xe0) return (long)(sbyte)first;
            switch (first)
            {
                case 0xc0: return null;
                case 0xc2: return false;
                case 0xc3: return true;
                case 0xc4: case 0xc5: case 0xc6: return Take(bytes, ref at, Big(bytes, ref at, 1 << (first - 0xc4)));
                case 0xc7: case 0xc8: case 0xc9: return Skip(bytes, ref at, Big(bytes, ref at, 1 << (first - 0xc7)) + 1);
                case 0xca: return (double)BitConverter.ToSingle(Little(bytes, ref at, 4), 0);
                case 0xcb: return BitConverter.ToDouble(Little(bytes, ref at, 8), 0);
                case 0xcc: case 0xcd: case 0xce: case 0xcf:
                    ulong large = Big(bytes, ref at, 1 << (first - 0xcc));
                    return large <= long.MaxValue ? (object)(long)large : large;
                case 0xd0: return (long)(sbyte)Big(bytes, ref at, 1);
                case 0xd1: return (long)(short)Big(bytes, ref at, 2);
                case 0xd2: return (long)(int)Big(bytes, ref at, 4);
                case 0xd3: return (long)Big(bytes, ref at, 8);
                case 0xd4: case 0xd5: case 0xd6: case 0xd7: case 0xd8:
                    return Skip(bytes, ref at, (1ul << (first - 0xd4)) + 1);
                case 0xd9: case 0xda: case 0xdb: return Text(bytes, ref at, Big(bytes, ref at, 1 << (first - 0xd9)));
                case 0xdc: case 0xdd: return List(bytes, ref at, Big(bytes, ref at, 2 << (first - 0xdc)), depth);
                case 0xde: case 0xdf: return Map(bytes, ref at, Big(bytes, ref at, 2 << (first - 0xde)), depth);
                default: throw new FormatException("a byte that MessagePack never uses");
            }
        }

        static object List(byte[] bytes, ref int at, ulong size, int depth)
        {
            var list = new List<object>(Items(bytes, at, size, depth));
            for (ulong i = 0; i < size; i++) list.Add(Read(bytes, ref at, depth - 1));
            return list;
        }

        static object Map(byte[] bytes, ref int at, ulong size, int depth)
        {
            var map = new Dictionary<string, object>(Items(bytes, at, size, depth));
            for (ulong i = 0; i < size; i++)
            {
                if (!(Read(bytes, ref at, depth - 1) is string key)) throw new FormatException("a key is text");
                map[key] = Read(bytes, ref at, depth - 1);
            }
            return map;
        }

        // Every item takes a byte at least, so no memory is taken for what is only announced.
        static int Items(byte[] bytes, int at, ulong size, int depth)
        {
            if (depth == 0) throw new FormatException("nested too deep");
            return Room(bytes, at, size);
        }

        static int Room(byte[] bytes, int at, ulong size)
        {
            if (size > (ulong)(bytes.Length - at)) throw new FormatException("cut off");
            return (int)size;
        }

        static ulong Big(byte[] bytes, ref int at, int size)
        {
            ulong value = 0;
            for (int end = at + Room(bytes, at, (ulong)size); at < end; at++) value = value << 8 | bytes[at];
            return value;
        }

        static byte[] Take(byte[] bytes, ref int at, ulong size)
        {
            var taken = new byte[Room(bytes, at, size)];
            Buffer.BlockCopy(bytes, at, taken, 0, taken.Length);
            at += taken.Length;
            return taken;
        }

        static byte[] Little(byte[] bytes, ref int at, int size)
        {
            byte[] taken = Take(bytes, ref at, (ulong)size);
            if (BitConverter.IsLittleEndian) Array.Reverse(taken);
            return taken;
        }

        static object Skip(byte[] bytes, ref int at, ulong size)
        {
            at += Room(bytes, at, size);
            return new Extension();
        }

        static string Text(byte[] bytes, ref int at, ulong size)
        {
            try { return Utf8.GetString(Take(bytes, ref at, size)); }
            catch (ArgumentException) { throw new FormatException("text that is not UTF-8"); }
        }

        /// <summary>The bytes of a value; of maps with text keys, lists and arrays of any kind, and numbers.</summary>
        public static byte[] Write(object value)
        {
            var stream = new MemoryStream();
            Write(stream, value);
            return stream.ToArray();
        }

        static void Write(Stream to, object value)
        {
            if (value == null) to.WriteByte(0xc0);
            else if (value is bool) to.WriteByte((bool)value ? (byte)0xc3 : (byte)0xc2);
            else if (value is string text) Bytes(to, 0xdb, Utf8.GetBytes(text));
            else if (value is byte[] bytes) Bytes(to, 0xc6, bytes);
            else if (value is double || value is float)
                Bits(to, 0xcb, (ulong)BitConverter.DoubleToInt64Bits(Convert.ToDouble(value)), 8);
            else if (value is ulong) Bits(to, 0xcf, (ulong)value, 8);
            else if (value is IDictionary map)
            {
                Bits(to, 0xdf, (ulong)map.Count, 4);
                foreach (DictionaryEntry pair in map) { Write(to, (string)pair.Key); Write(to, pair.Value); }
            }
            else if (value is IEnumerable several)
            {
                object[] items = several.Cast<object>().ToArray();
                Bits(to, 0xdd, (ulong)items.Length, 4);
                foreach (object item in items) Write(to, item);
            }
            else Bits(to, 0xd3, (ulong)Convert.ToInt64(value), 8);
        }

        static void Bytes(Stream to, byte kind, byte[] bytes)
        {
            Bits(to, kind, (ulong)bytes.Length, 4);
            to.Write(bytes, 0, bytes.Length);
        }

        static void Bits(Stream to, byte kind, ulong bits, int size)
        {
            to.WriteByte(kind);
            for (int shift = 8 * (size - 1); shift >= 0; shift -= 8) to.WriteByte((byte)(bits >> shift));
        }
    }

    /// <summary>A message. Its fields have the whole names of the protocol's tables: message["outcome"], or
    /// message.Text("outcome"), message.Numbers("cursor"). A field that may be nil is null.</summary>
    public sealed class Message
    {
        public const int Version = 2;
        public static readonly string Prefix = "decoderd." + Version + ".";

        // By topic: the fields as key:name:type. Those of `every` all messages have.
        static readonly Dictionary<string, string> Fields = new Dictionary<string, string> {
            {"every", "s:session:text q:sequence:count k:tick:count"},
            {"tick", "d:day:count b:block:count r:trial:count p:phase:count t:goal:point? c:cursor:four " +
                     "v:decoded_velocity:point i:intended_velocity:point"},
            {"counts", "c:channel:text n:shape:shape e:dtype:text y:data:bytes"},
            {"task", "r:trial:count p:phase:count g:target_index:integer t:goal:point?"},
            {"trial", "d:day:integer b:block:integer r:trial:count g:target_index:integer t:target:point? " +
                      "a:start_tick:count o:go_tick:integer x:outcome:text w:perturbations:texts"},
            {"plasticity", "n:updates:count l:loss:number z:change_norm:number m:reason:text"},
            {"decoder", "w:source:text x:event:text m:reason:text f:shapes:integer_lists u:readouts:counts?"},
            {"perturbation", "w:name:text x:event:text f:config:map"},
            {"metrics", "w:source:text d:day:count f:values:number_map"},
            {"day", "d:day:integer b:block:integer x:event:text w:block_name:text n:trials:count u:successes:count"},
            {"health", "n:ticks:count z:wall_s:number l:lateness_us:spread? u:duration_us:spread? " +
                       "m:missed_deadlines:count c:clipped:count"},
            {"session", "x:event:text i:run:count f:first_tick:count w:detail:text"}};

        static bool Integer(object value) => value is long;
        static bool Count(object value) => value is long && (long)value >= 0;
        static bool Number(object value) => value is long || value is ulong || value is double;
        static Func<object, bool> List(Func<object, bool> of, int size = -1) =>
            value => value is List<object> list && (size < 0 || list.Count == size) && list.All(of);
        static Func<object, bool> Map(Func<object, bool> of) =>
            value => value is Dictionary<string, object> map && map.Values.All(of);
        static readonly Dictionary<string, Func<object, bool>> Types = new Dictionary<string, Func<object, bool>> {
            {"text", value => value is string}, {"bytes", value => value is byte[]}, {"integer", Integer}, {"count", Count},
            {"number", Number}, {"point", List(Number, 2)}, {"spread", List(Number, 3)}, {"four", List(Number, 4)},
            {"shape", List(Count, 2)}, {"texts", List(value => value is string)}, {"counts", List(Count)},
            {"map", Map(value => true)}, {"number_map", Map(Number)}, {"integer_lists", Map(List(Integer))}};

        struct Field { public string Key, Name, Type; public bool Nil; }
        static readonly Dictionary<string, Field[]> Tables =
            Fields.Keys.Where(topic => topic != "every").ToDictionary(topic => topic, Table);
        static Field[] Table(string topic) =>
            (Fields["every"] + " " + Fields[topic]).Split(' ').Select(one => one.Split(':')).Select(part => new Field {
                Key = part[0], Name = part[1], Type = part[2].TrimEnd('?'), Nil = part[2].Contains("?") }).ToArray();

        public static IEnumerable<string> Topics => Tables.Keys;
        public static IEnumerable<string> Names(string topic) => Tables[topic].Select(field => field.Name);

        public string Topic { get; private set; }
        /// <summary>The map with its short keys, and its bytes.</summary>
        public Dictionary<string, object> Payload { get; private set; }
        public byte[] Body { get; private set; }
        /// <summary>Of the stamp; null for a message from the record.</summary>
        public ulong? Incarnation { get; private set; }
        public ulong? SentNs { get; private set; }

        public object this[string name] => Payload[Tables[Topic].First(field => field.Name == name).Key];
        public string Text(string name) => (string)this[name];
        public long Integer(string name) => (long)this[name];
        public double Number(string name) => Convert.ToDouble(this[name]);
        public double[] Numbers(string name) => ((List<object>)this[name])?.Select(Convert.ToDouble).ToArray();
        public long Sequence => Integer("sequence");
        public long Tick => Integer("tick");

        /// <summary>The entries of a `counts` message, ticks x units. Throws FormatException if they are not all there.</summary>
        public double[,] Counts()
        {
            double[] shape = Numbers("shape");
            var data = (byte[])this["data"];
            int size = Text("dtype") == "|u1" ? 1 : Text("dtype") == "<u2" ? 2 : Text("dtype") == "<f4" ? 4 : 8;
            if (shape[0] * shape[1] * size != data.Length) throw new FormatException("counts of another shape");
            var entries = new double[(int)shape[0], (int)shape[1]];
            for (int i = 0; i < entries.Length; i++)
            {
                byte[] one = data.Skip(i * size).Take(size).ToArray();
                if (!BitConverter.IsLittleEndian) Array.Reverse(one);
                entries[i / (int)shape[1], i % (int)shape[1]] = size == 1 ? one[0] : size == 2 ? BitConverter.ToUInt16(one, 0)
                    : size == 4 ? BitConverter.ToSingle(one, 0) : BitConverter.ToDouble(one, 0);
            }
            return entries;
        }

        /// <summary>A message of three frames. Null for one that is to be ignored, because of its `frames`, its
        /// `topic`, as `malformed`, or because of its `keys`: then `passedOver` says so.</summary>
        public static Message Read(IList<byte[]> frames, out string passedOver)
        {
            passedOver = "frames";
            if (frames.Count != 3) return null;
            passedOver = "topic";
            string topic = Topics.FirstOrDefault(name => frames[0].SequenceEqual(Encoding.ASCII.GetBytes(Prefix + name)));
            if (topic == null) return null;
            try
            {
                passedOver = "malformed";
                Dictionary<string, object> stamp = MessagePack.ReadMap(frames[2]), payload = MessagePack.ReadMap(frames[1]);
                passedOver = "keys";
                if (!stamp.TryGetValue("i", out object run) || !Count(run)) return null;
                if (!stamp.TryGetValue("t", out object sent) || !(Count(sent) || sent is ulong)) return null;
                Message message = Checked(topic, payload, frames[1]);
                if (message == null) return null;
                message.Incarnation = Convert.ToUInt64(run);
                message.SentNs = Convert.ToUInt64(sent);
                passedOver = null;
                return message;
            }
            catch (FormatException) { return null; }
        }

        /// <summary>A message of the record, which has no stamp. Throws FormatException for bytes that are none.</summary>
        public static Message Recorded(string topic, byte[] body) =>
            Checked(topic, MessagePack.ReadMap(body), body) ?? throw new FormatException("a key is missing, or wrong");

        static Message Checked(string topic, Dictionary<string, object> payload, byte[] body)
        {
            foreach (Field field in Tables[topic])
            {
                if (!payload.TryGetValue(field.Key, out object value)) return null;
                if (!(field.Nil && value == null) && !Types[field.Type](value)) return null;
            }
            return new Message { Topic = topic, Payload = payload, Body = body };
        }
    }

    /// <summary>A request that was answered with an error; nothing was changed. `Field` is the path to the field at
    /// fault, or null.</summary>
    public sealed class ControlException : Exception
    {
        public readonly string Code, Field;
        public ControlException(string code, string message, string field) : base(message)
        {
            Code = code;
            Field = field;
        }
    }

    /// <summary>No answer came in time. Whether the request was carried out is not known.</summary>
    public sealed class NoAnswerException : Exception
    {
        public NoAnswerException(string message) : base(message) { }
    }

    /// <summary>The map of a reply, and the frames that follow it: arrays, or messages.</summary>
    public sealed class Reply
    {
        public Dictionary<string, object> Map;
        public List<byte[]> Frames;
        public object this[string key] => Map[key];
    }

    /// <summary>Keys as in the file that `decoderd keys DIR --client NAME` made, Z85 text of 40 characters each.</summary>
    public sealed class Keys
    {
        public string ServerKey, PublicKey, SecretKey;
    }

    /// <summary>Control of a session, or of the supervisor. For one thread only.</summary>
    public sealed class Control : IDisposable
    {
        // A session that is being prepared is busy: it is asked again for these.
        static readonly string[] AskedAgain = {"describe", "get_decoder", "missed", "join"};
        readonly string endpoint;
        readonly int timeoutMs, attempts;
        readonly Keys keys;
        readonly IntPtr context = Socket.NewContext();
        readonly List<Socket> opened = new List<Socket>(); // libzmq ends only once all are closed
        readonly Socket socket;

        /// <summary>A request is sent `attempts` times, under one id, and waits `timeoutMs` each time.</summary>
        public Control(string endpoint, int timeoutMs = 5000, int attempts = 3, Keys keys = null)
        {
            this.endpoint = endpoint;
            this.timeoutMs = timeoutMs;
            this.attempts = attempts;
            this.keys = keys;
            try
            {
                socket = Opened(Socket.Dealer);
                socket.Connect(endpoint);
            }
            catch
            {
                Dispose();
                throw;
            }
        }

        internal Socket Opened(int type)
        {
            opened.Add(new Socket(context, type, keys));
            return opened[opened.Count - 1];
        }

        /// <summary>Ask for an operation. A grant is waited for as long as the session answers at all. Throws
        /// ControlException or NoAnswerException.</summary>
        public Reply Ask(string op, IDictionary<string, object> fields = null)
        {
            for (DateTime until = DateTime.UtcNow.AddMilliseconds((double)attempts * timeoutMs); ;)
            {
                try { return Exchange(op, fields ?? new Dictionary<string, object>()); }
                catch (ControlException error)
                    when (error.Code == "busy" && AskedAgain.Contains(op) && DateTime.UtcNow < until) { }
            }
        }

        Reply Exchange(string op, IDictionary<string, object> fields)
        {
            string id = Guid.NewGuid().ToString("N");
            byte[] request = Request(id, op, fields);
            byte[] health = Request("health", "health", new Dictionary<string, object>());
            bool patient = op == "grant"; // its reply may come late: health is asked for with it, and any reply counts
            for (int left = attempts; left > 0; left--)
            {
                if (patient && left < attempts) socket.Send(health);
                socket.Send(request);
                for (List<byte[]> frames; (frames = socket.Receive(timeoutMs)) != null;)
                {
                    Dictionary<string, object> reply = MessagePack.ReadMap(frames[0]);
                    string to = reply.TryGetValue("id", out object given) ? given as string : null;
                    if (to == id || to == "") return Answer(reply, frames);
                    if (patient) left = attempts + 1;
                }
            }
            throw new NoAnswerException(endpoint + " did not answer to " + op);
        }

        static byte[] Request(string id, string op, IDictionary<string, object> fields) => MessagePack.Write(
            new Dictionary<string, object>(fields) {{"v", Message.Version}, {"id", id}, {"op", op}});

        static Reply Answer(Dictionary<string, object> reply, List<byte[]> frames)
        {
            if (!Equals(reply["v"], (long)Message.Version))
                throw new ControlException("bad_version", "the service speaks another version of the protocol: " +
                    "use the client that comes with it", "v");
            if (Equals(reply["ok"], true)) return new Reply { Map = reply, Frames = frames.GetRange(1, frames.Count - 1) };
            var error = (Dictionary<string, object>)reply["error"];
            throw new ControlException((string)error["code"], (string)error["message"], (string)error["field"]);
        }

        /// <summary>The messages of topics from now on, or from the session's start.</summary>
        public Follower Follow(bool fromStart, params string[] topics) => new Follower(this, fromStart, topics);

        /// <summary>Close it, and all that follow with it.</summary>
        public void Dispose()
        {
            opened.ForEach(one => one.Dispose());
            Socket.EndContext(context);
        }
    }

    /// <summary>Following a stream: every message once and in the order of its topic, whatever the socket dropped.
    /// Enumerate it, or take `Next` from a program that draws frames.</summary>
    public sealed class Follower : IEnumerable<Message>, IDisposable
    {
        const int SilenceMs = 1000, AgainMs = 100, PatienceMs = 30000, Many = 1000;
        // Of these what was not stored before a crash is lost, and its numbers are used again.
        static readonly string[] OneRun = {"health", "session"};
        static readonly string[] Ends = {"stopped", "done", "failed"};
        readonly Control control;
        readonly Socket socket;
        readonly HashSet<string> wanted;
        readonly Dictionary<string, long> expected = new Dictionary<string, long>();
        readonly Dictionary<string, ulong> newest = new Dictionary<string, ulong>();
        readonly Queue<Message> ready = new Queue<Message>();
        long incarnation;
        DateTime quietSince = DateTime.UtcNow;
        bool ended; // the session has; what is left is fetched

        /// <summary>Whether the session has ended, and all was delivered.</summary>
        public bool Over { get; private set; }

        internal Follower(Control control, bool fromStart, string[] topics)
        {
            foreach (string topic in topics)
                if (!Message.Topics.Contains(topic))
                    throw new ArgumentException("there is no topic " + topic + "; there are " + string.Join(", ", Message.Topics));
            this.control = control;
            wanted = new HashSet<string>(topics);
            Reply description = control.Ask("describe");
            socket = control.Opened(Socket.Sub);
            foreach (string topic in wanted.Union(new[] {"session"})) // which says when the session has ended
            {
                expected[topic] = fromStart ? 0 : Published(description, topic);
                socket.Subscribe(Message.Prefix + topic);
            }
            socket.Connect((string)description["stream"]);
            incarnation = (long)description["incarnation"];
            CatchUp(description);
        }

        static long Published(Reply description, string topic) =>
            ((Dictionary<string, object>)description["next"]).TryGetValue(topic, out object next) ? (long)next : 0;

        /// <summary>The next message; null once the time is up, or the session is `Over`. Waits without end if
        /// `timeoutMs` is negative.</summary>
        public Message Next(int timeoutMs = -1)
        {
            DateTime until = timeoutMs < 0 ? DateTime.MaxValue : DateTime.UtcNow.AddMilliseconds(timeoutMs);
            while (ready.Count == 0 && !Over)
            {
                if (ended)
                {
                    CatchUp();
                    Over = ended && ready.Count == 0;
                    continue;
                }
                double leftMs = Math.Max(0, Math.Min(SilenceMs, (until - DateTime.UtcNow).TotalMilliseconds));
                List<byte[]> frames = socket.Receive((int)Math.Ceiling(leftMs));
                if (frames != null)
                {
                    quietSince = DateTime.UtcNow;
                    Arrived(Message.Read(frames, out _));
                }
                else if ((DateTime.UtcNow - quietSince).TotalMilliseconds >= SilenceMs) CatchUp();
                else if (DateTime.UtcNow >= until) return null;
            }
            return ready.Count > 0 ? ready.Dequeue() : null;
        }

        public IEnumerator<Message> GetEnumerator()
        {
            for (Message message; (message = Next()) != null;) yield return message;
        }

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

        void Arrived(Message message)
        {
            if (message == null || !expected.ContainsKey(message.Topic)) return;
            string topic = message.Topic;
            if (OneRun.Contains(topic) && message.Incarnation > (newest.TryGetValue(topic, out ulong run) ? run : 0))
            {
                newest[topic] = message.Incarnation.Value;
                expected[topic] = Math.Min(expected[topic], message.Sequence);
            }
            if (message.Sequence > expected[topic]) Recover(topic, message.Sequence);
            if (message.Sequence == expected[topic]) Deliver(message);
        }

        void Deliver(Message message)
        {
            expected[message.Topic]++;
            if (wanted.Contains(message.Topic)) ready.Enqueue(message);
            if (message.Topic != "session") return;
            incarnation = Math.Max(incarnation, message.Integer("run"));
            ended = Ends.Contains(message.Text("event")) && message.Integer("run") == incarnation; // not from before a resume
        }

        void CatchUp(Reply description = null)
        {
            try
            {
                description = description ?? control.Ask("describe");
                foreach (string topic in expected.Keys.ToArray()) Recover(topic, Published(description, topic));
            }
            catch (NoAnswerException) { } // it has gone, or is being resumed: the stream will show
            quietSince = DateTime.UtcNow;
        }

        // Fetch what is recorded from the expected number on. It is on the disk half a second after it was published.
        void Recover(string topic, long until)
        {
            for (DateTime patient = DateTime.UtcNow.AddMilliseconds(PatienceMs); expected[topic] < until;)
            {
                long missing = Math.Min(Many, until - expected[topic]);
                Reply reply = control.Ask("missed", new Dictionary<string, object> {
                    {"topic", topic}, {"first", expected[topic]}, {"count", missing}});
                foreach (byte[] body in reply.Frames) Deliver(Message.Recorded(topic, body));
                if (reply.Frames.Count > 0) patient = DateTime.UtcNow.AddMilliseconds(PatienceMs);
                else if (DateTime.UtcNow > patient)
                    throw new ControlException("not_found", topic + " from number " + expected[topic] + " is lost", "first");
                else Thread.Sleep(AgainMs);
            }
        }

        public void Dispose() => socket.Dispose();
    }

    /// <summary>A socket of libzmq.</summary>
    sealed class Socket : IDisposable
    {
        internal const int Sub = 2, Dealer = 5;
        const int Subscribed = 6, Linger = 17, LargestMessage = 22, ReceiveHighWaterMark = 24, ReceiveTimeout = 27;
        const int SendTimeout = 28, CurvePublicKey = 48, CurveSecretKey = 49, CurveServerKey = 50, Interrupted = 4;
        const string Library = "libzmq";
        IntPtr handle;
        int waits = -1;

        internal static IntPtr NewContext() => zmq_ctx_new();
        internal static void EndContext(IntPtr context) => zmq_ctx_term(context);

        internal Socket(IntPtr context, int type, Keys keys)
        {
            handle = zmq_socket(context, type);
            if (handle == IntPtr.Zero) throw Failure("a socket");
            Set(Linger, 0);
            Set(SendTimeout, 5000);
            Set(ReceiveHighWaterMark, 100000);
            Set(LargestMessage, BitConverter.GetBytes(64L << 20));
            if (keys == null) return;
            if (new[] {keys.ServerKey, keys.PublicKey, keys.SecretKey}.Any(key => key.Length != 40))
                throw new ArgumentException("a key is text of 40 characters");
            Set(CurveServerKey, Encoding.ASCII.GetBytes(keys.ServerKey + "\0"));
            Set(CurvePublicKey, Encoding.ASCII.GetBytes(keys.PublicKey + "\0"));
            Set(CurveSecretKey, Encoding.ASCII.GetBytes(keys.SecretKey + "\0"));
        }

        internal void Connect(string endpoint)
        {
            if (zmq_connect(handle, endpoint) != 0)
                throw new ArgumentException(endpoint + " is no endpoint: right is tcp://HOST:PORT");
        }

        internal void Subscribe(string topic) => Set(Subscribed, Encoding.ASCII.GetBytes(topic));
        internal void Send(byte[] frame) => zmq_send(handle, frame, (UIntPtr)frame.Length, 0);

        /// The frames of one message; null when the time is up.
        internal List<byte[]> Receive(int timeoutMs)
        {
            var frames = new List<byte[]>();
            if (timeoutMs != waits) Set(ReceiveTimeout, waits = timeoutMs);
            IntPtr part = Marshal.AllocHGlobal(64); // a zmq_msg_t
            try
            {
                for (bool more = true; more;)
                {
                    zmq_msg_init(part);
                    while (zmq_msg_recv(part, handle, 0) < 0)
                        if (zmq_errno() != Interrupted) return null;
                    var frame = new byte[(int)zmq_msg_size(part)];
                    Marshal.Copy(zmq_msg_data(part), frame, 0, frame.Length);
                    frames.Add(frame);
                    more = zmq_msg_more(part) != 0;
                    zmq_msg_close(part);
                }
                return frames;
            }
            finally { Marshal.FreeHGlobal(part); }
        }

        public void Dispose()
        {
            if (handle != IntPtr.Zero) zmq_close(handle);
            handle = IntPtr.Zero;
        }

        void Set(int option, int value) => Set(option, BitConverter.GetBytes(value));
        void Set(int option, byte[] value)
        {
            if (zmq_setsockopt(handle, option, value, (UIntPtr)value.Length) != 0) throw Failure("option " + option);
        }

        static Exception Failure(string what) =>
            new ArgumentException(what + ": " + Marshal.PtrToStringAnsi(zmq_strerror(zmq_errno())));

        [DllImport(Library)] static extern IntPtr zmq_ctx_new();
        [DllImport(Library)] static extern int zmq_ctx_term(IntPtr context);
        [DllImport(Library)] static extern IntPtr zmq_socket(IntPtr context, int type);
        [DllImport(Library)] static extern int zmq_close(IntPtr socket);
        [DllImport(Library)] static extern int zmq_connect(IntPtr socket, [MarshalAs(UnmanagedType.LPStr)] string endpoint);
        [DllImport(Library)] static extern int zmq_setsockopt(IntPtr socket, int option, byte[] value, UIntPtr size);
        [DllImport(Library)] static extern int zmq_send(IntPtr socket, byte[] frame, UIntPtr size, int flags);
        [DllImport(Library)] static extern int zmq_msg_init(IntPtr part);
        [DllImport(Library)] static extern int zmq_msg_recv(IntPtr part, IntPtr socket, int flags);
        [DllImport(Library)] static extern UIntPtr zmq_msg_size(IntPtr part);
        [DllImport(Library)] static extern IntPtr zmq_msg_data(IntPtr part);
        [DllImport(Library)] static extern int zmq_msg_more(IntPtr part);
        [DllImport(Library)] static extern int zmq_msg_close(IntPtr part);
        [DllImport(Library)] static extern int zmq_errno();
        [DllImport(Library)] static extern IntPtr zmq_strerror(int number);
    }
}
