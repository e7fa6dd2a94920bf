// Prints what it finds in the frames of the test vectors, which `decoderd wire --vectors vectors` writes:
//
//     mono dump.exe < vectors/frames.txt | diff - vectors/dump.txt
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;
using Decoderd;

static class Dump
{
    static string Text(string text) =>
        "\"" + string.Concat(Encoding.UTF8.GetBytes(text).Select(one =>
            one < 0x20 || one >= 0x7f || one == '"' || one == '\\' ? "\\x" + one.ToString("x2") : ((char)one).ToString())) + "\"";

    static string Number(double number)
    {
        if (double.IsNaN(number)) return "nan";
        if (double.IsInfinity(number)) return number > 0 ? "inf" : "-inf";
        if (Math.Floor(number) == number && Math.Abs(number) <= 9007199254740992)
            return ((long)number).ToString(CultureInfo.InvariantCulture);
        return "0x" + BitConverter.DoubleToInt64Bits(number).ToString("x16");
    }

    static string Hex(byte[] bytes) => string.Concat(bytes.Select(one => one.ToString("x2")));

    // The order of the bytes of UTF-8.
    static string Key(string text) => Hex(Encoding.UTF8.GetBytes(text));

    static string Map(IEnumerable<KeyValuePair<string, object>> pairs) =>
        "{" + string.Join(", ", pairs.OrderBy(pair => Key(pair.Key), StringComparer.Ordinal)
            .Select(pair => Text(pair.Key) + ": " + Any(pair.Value))) + "}";

    static string Any(object value)
    {
        if (value == null) return "null";
        if (value is bool) return (bool)value ? "true" : "false";
        if (value is string) return Text((string)value);
        if (value is double) return Number((double)value);
        if (value is byte[]) return "#" + Hex((byte[])value);
        if (value is List<object>) return "[" + string.Join(", ", ((List<object>)value).Select(Any)) + "]";
        if (value is Dictionary<string, object>) return Map((Dictionary<string, object>)value);
        if (value is MessagePack.Extension) return "extension";
        return Convert.ToString(value, CultureInfo.InvariantCulture);
    }

    static byte[] Bytes(string digits) => digits == "-" ? new byte[0]
        : Enumerable.Range(0, digits.Length / 2).Select(i => Convert.ToByte(digits.Substring(2 * i, 2), 16)).ToArray();

    static string Found(string line)
    {
        if (line.StartsWith("#", StringComparison.Ordinal)) return line;
        string[] words = line.Split(' ');
        List<byte[]> frames = words.Skip(1).Select(Bytes).ToList();
        if (words[0] != "message")
        {
            try { return "map " + Map(MessagePack.ReadMap(frames.First(frame => frame.Length > 0))); }
            catch (FormatException) { return "malformed"; }
        }
        Message message = Message.Read(frames, out string passedOver);
        if (message == null) return "ignored: " + passedOver;
        var fields = Message.Names(message.Topic).Select(name => new KeyValuePair<string, object>(name, message[name]));
        return "message " + message.Topic + " " + Map(fields) + " incarnation " + message.Incarnation + " sent_ns " +
            message.SentNs;
    }

    static void Main()
    {
        using (var output = new StreamWriter(Console.OpenStandardOutput()) { NewLine = "\n" })
            for (string line; (line = Console.In.ReadLine()) != null;) output.WriteLine(Found(line));
    }
}
