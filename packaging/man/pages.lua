-- A pandoc filter: makes one manual page of sections of docs/*.md, so that nothing is written twice. packaging/man/make
-- runs it with the page's name in the metadata. Sections are named by the identifier of their heading.
--
-- Tables become lists of terms, code words become bold, links lose their targets: what a manual page looks like.

local pages = {
    ["weftd.8"] = {
        summary = "controller of Open vSwitch hosts",
        sections = { "weftd", "restart-and-upgrade", "state-directory", "watching" },
    },
    ["weftd.toml.5"] = {
        summary = "settings of weftd",
        synopsis = "/etc/weft/weftd.toml",
        sections = { "weftdtoml", "tls" },
    },
    ["weft-topology.5"] = {
        summary = "the network that weftd makes, as a file",
        synopsis = "/etc/weft/topology.toml",
        sections = { "the-topology-file" },
    },
    ["weftctl.1"] = {
        summary = "show, plan and change the network that weftd runs",
        sections = { "weftctl" },
    },
    ["weft-lab.1"] = {
        summary = "run a weft fabric of many hosts on one machine",
        sections = { "weft-lab" },
    },
}

-- Whose page a linked section or document is on.
local page_of = {
    ["cli.md#weftd"] = "weftd(8)", ["cli.md#weftctl"] = "weftctl(1)", ["cli.md#weft-lab"] = "weft-lab(1)",
    ["operations.md#weftdtoml"] = "weftd.toml(5)", ["topology.md"] = "weft-topology(5)",
}

local function roff(text)
    text = text:gsub("\\", "\\e"):gsub("-", "\\-"):gsub("'", "\\(aq"):gsub("`", "\\(ga"):gsub("%^", "\\(ha")
               :gsub("~", "\\(ti")
    return (text:gsub("\n([.'])", "\n\\&%1"):gsub("^([.'])", "\\&%1"))
end

-- Lines as they are.
local function code_block(block)
    return pandoc.RawBlock("man", ".RS 4\n.nf\n" .. roff(block.text) .. "\n.fi\n.RE")
end

-- A linked document is named by its page, or by its file if it has none; what is linked otherwise speaks for itself.
local function link(element)
    local target = element.target:gsub("^%.%./docs/", "")
    local name = pandoc.utils.stringify(element.content)
    if not name:match("%.md$") then return element.content end
    local page = page_of[target] or page_of[target:gsub("#.*", "")]
    if not page then return pandoc.Emph(name) end
    return { pandoc.Strong(page:match("[^(]*")), pandoc.Str(page:match("%(.*")) }
end

-- The first column is what is explained by the others; of these, all but the first say what they are.
local function definitions(element)
    local simple = pandoc.utils.to_simple_table(element)
    local items = {}
    for _, row in ipairs(simple.rows) do
        local said = {}
        for column = 2, #row do
            local cell = row[column]
            local head = column > 2 and pandoc.utils.stringify(simple.headers[column]) or ""
            if #cell > 0 then
                if head ~= "" then
                    local words = pandoc.List({ pandoc.Str(head:sub(1, 1):upper() .. head:sub(2) .. ":"), pandoc.Space() })
                    words:extend(cell[1].content)
                    cell = { pandoc.Plain(words) }
                end
                for _, block in ipairs(cell) do table.insert(said, pandoc.Para(block.content)) end
            end
        end
        table.insert(items, { row[1][1].content, { said } })
    end
    return pandoc.DefinitionList(items)
end

-- Headings of manual pages are in capitals, but for what is typed.
local function heading(level, content)
    local words = pandoc.List(content):map(function(word)
        if word.t == "Str" then return pandoc.Str(word.text:upper()) end
        if word.t == "Code" then return pandoc.Str(word.text) end
        return word
    end)
    return pandoc.Header(level, words)
end

-- The heading of that identifier and what is under it.
local function section(blocks, identifier)
    local found, level = pandoc.List(), nil
    for _, block in ipairs(blocks) do
        if block.t == "Header" then
            if level and block.level <= level then break end
            if block.identifier == identifier then level = block.level end
        end
        if level then found:insert(block) end
    end
    assert(level, "no section '" .. identifier .. "' in docs/")
    return found, level
end

-- In bold; files of the tree by where they are installed.
local function code(element)
    return pandoc.Strong((element.text:gsub("^configs/%a+/", "/usr/share/doc/weft-controller/examples/")))
end

local words = { Code = code, Link = link }
local blocks_of_pages = { Table = definitions, CodeBlock = code_block }

function Pandoc(document)
    local file = pandoc.utils.stringify(document.meta.page)
    local name, number = file:match("^(.*)%.(%d)$")
    local page = assert(pages[file], file)
    local body = pandoc.List({ heading(1, { pandoc.Str("NAME") }), pandoc.Para(name .. " - " .. page.summary) })
    local function add_synopsis(text)
        body:extend({ heading(1, { pandoc.Str("SYNOPSIS") }), pandoc.CodeBlock(text) })
    end

    for index, identifier in ipairs(page.sections) do
        local blocks, level = section(document.blocks, identifier)
        local title = blocks:remove(1)
        if index > 1 then
            body:insert(heading(1, title.content))
        else
            if page.synopsis then add_synopsis(page.synopsis)
            elseif blocks[1].t == "CodeBlock" then add_synopsis(blocks:remove(1).text) end
            body:insert(heading(1, { pandoc.Str("DESCRIPTION") }))
            level = level + 1 -- what is under the first is on a level with the others
        end
        body:extend(blocks:map(function(block)
            return block.t == "Header" and heading(block.level - level + 1, block.content) or block
        end))
    end

    body:insert(heading(1, { pandoc.Str("SEE ALSO") }))
    local others = pandoc.List()
    for other in pairs(pages) do
        if other ~= file then others:insert(other) end
    end
    others:sort()
    local line = pandoc.List()
    for _, other in ipairs(others) do
        local its_name, its_number = other:match("^(.*)%.(%d)$")
        line:extend({ pandoc.Strong(its_name), pandoc.Str("(" .. its_number .. "),"), pandoc.Space() })
    end
    line:insert(pandoc.Emph("/usr/share/doc/weft-controller"))
    body:insert(pandoc.Para(line))

    local whole = pandoc.Div(body):walk(words):walk(blocks_of_pages)
    return pandoc.Pandoc(whole.content, { title = name:upper(), section = number, footer = "weft" })
end
