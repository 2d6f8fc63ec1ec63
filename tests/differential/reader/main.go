// Reads bodies as a client in Go would, with its standard library, and says whose the records are.
//
// A line in is {"form": …, "body": base64}; a line out is {"records": [["s:me"], []]} or {"error": …}.
package main

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"mime/multipart"
	"net/mail"
	"os"
	"strings"
)

type request struct {
	Form string `json:"form"`
	Body string `json:"body"`
}

type answer struct {
	Records [][]string        `json:"records"`
	Members map[string]string `json:"members,omitempty"`
	Error   string            `json:"error,omitempty"`
}

// A struct, as clients declare them: encoding/json folds the case of names.
type owned struct {
	Owner any `json:"owner"`
}

func tagged(value any) []string {
	switch found := value.(type) {
	case string:
		return []string{"s:" + found}
	case json.Number:
		return []string{"n:" + found.String()}
	case nil:
		return []string{}
	default:
		return []string{"?:"}
	}
}

func owner(text json.RawMessage) ([]string, error) {
	if !bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		return []string{}, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var found owned
	if err := decoder.Decode(&found); err != nil {
		return nil, err
	}
	return tagged(found.Owner), nil
}

func owners(texts []json.RawMessage) ([][]string, error) {
	records := [][]string{}
	for _, text := range texts {
		found, err := owner(text)
		if err != nil {
			return nil, err
		}
		records = append(records, found)
	}
	return records, nil
}

func readJSON(body []byte) ([][]string, error) {
	var document struct {
		Records []json.RawMessage `json:"records"`
	}
	if err := json.Unmarshal(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), &document); err != nil {
		return nil, err
	}
	return owners(document.Records)
}

// json.Decoder reads one value after the other, wherever lines end.
func readStream(body []byte) ([][]string, error) {
	decoder := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))))
	texts := []json.RawMessage{}
	for {
		var text json.RawMessage
		if err := decoder.Decode(&text); errors.Is(err, io.EOF) {
			return owners(texts)
		} else if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
}

func readCSV(body []byte) ([][]string, error) {
	reader := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))))
	rows, err := reader.ReadAll()
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, errors.New("no header")
	}
	column := -1
	for at, name := range rows[0] {
		if name == "owner" {
			column = at
		}
	}
	if column < 0 {
		return nil, errors.New("no column")
	}
	records := [][]string{}
	for _, row := range rows[1:] {
		if row[column] == "" {
			records = append(records, []string{})
		} else {
			records = append(records, []string{"s:" + row[column]})
		}
	}
	return records, nil
}

func readXML(body []byte) ([][]string, error) {
	decoder := xml.NewDecoder(bytes.NewReader(body))
	records, depth := [][]string{}, 0
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return records, nil
		}
		if err != nil {
			return nil, err
		}
		switch found := token.(type) {
		case xml.StartElement:
			depth++
			if depth == 2 && found.Name.Space == "" && found.Name.Local == "r" {
				record := []string{}
				for _, each := range found.Attr {
					if each.Name.Space == "" && each.Name.Local == "owner" && each.Value != "" {
						record = append(record, "s:"+each.Value)
					}
				}
				records = append(records, record)
			}
		case xml.EndElement:
			depth--
		}
	}
}

func readZIP(body []byte) (map[string]string, error) {
	archive, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return nil, err
	}
	members := map[string]string{}
	for _, each := range archive.File {
		if strings.HasSuffix(each.Name, "/") {
			continue
		}
		opened, err := each.Open()
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(opened)
		if err != nil {
			return nil, err
		}
		members[each.Name] = base64.StdEncoding.EncodeToString(data)
	}
	return members, nil
}

func readTAR(body []byte) (map[string]string, error) {
	archive, members := tar.NewReader(bytes.NewReader(body)), map[string]string{}
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return members, nil
		}
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			return nil, err
		}
		if header.Typeflag == tar.TypeReg {
			members[header.Name] = base64.StdEncoding.EncodeToString(data)
		}
	}
}

func readParts(body []byte) (map[string]string, error) {
	parts, members := multipart.NewReader(bytes.NewReader(body), "b"), map[string]string{}
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return members, nil
		}
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(part)
		if err != nil {
			return nil, err
		}
		members[part.FileName()] = base64.StdEncoding.EncodeToString(data)
	}
}

func readMail(body []byte) ([][]string, error) {
	message, err := mail.ReadMessage(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	record := []string{}
	for _, field := range []string{"To", "Cc"} {
		for _, text := range message.Header[field] {
			found, err := mail.ParseAddressList(text)
			if err != nil {
				return nil, err
			}
			for _, each := range found {
				record = append(record, "s:"+each.Address)
			}
		}
	}
	return [][]string{record}, nil
}

func read(line []byte) (said answer) {
	var asked request
	if err := json.Unmarshal(line, &asked); err != nil {
		return answer{Error: err.Error()}
	}
	body, err := base64.StdEncoding.DecodeString(asked.Body)
	if err != nil {
		return answer{Error: err.Error()}
	}
	switch asked.Form {
	case "json":
		said.Records, err = readJSON(body)
	case "ndjson":
		said.Records, err = readStream(body)
	case "csv":
		said.Records, err = readCSV(body)
	case "xml":
		said.Records, err = readXML(body)
	case "zip":
		said.Members, err = readZIP(body)
	case "tar":
		said.Members, err = readTAR(body)
	case "multipart":
		said.Members, err = readParts(body)
	case "eml":
		said.Records, err = readMail(body)
	default:
		err = errors.New("no such form")
	}
	if err != nil {
		return answer{Error: err.Error()}
	}
	return said
}

func main() {
	in, out := bufio.NewReader(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		if err := out.Encode(read(line)); err != nil {
			return
		}
	}
}
