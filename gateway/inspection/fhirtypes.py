"""Whose a FHIR resource is, by its type: the patient compartment of FHIR R4 (4.0.1) as data.

Sources: hl7.org/fhir/R4/compartmentdefinition-patient.json names the search parameters by which a
resource is in a patient's compartment, hl7.org/fhir/R4/search-parameters.json the elements that
each of them reads. Here an element stands on the left of `;` where it says who the resource is
about, and on the right where it names somebody who took part: a patient there is an owner, too
(the compartment says so), anybody else a mention.
"""

import unicodedata
from typing import NamedTuple

from gateway.errors import BadUpstream, Code

_COMPARTMENT = {
    "Account": "subject",
    "AdverseEvent": "subject",
    "AllergyIntolerance": "patient; recorder asserter",
    "Appointment": "; participant.actor",
    "AppointmentResponse": "; actor",
    "AuditEvent": "; agent.who entity.what",
    "Basic": "subject; author",
    "BodyStructure": "patient",
    "CarePlan": "subject; activity.detail.performer",
    "CareTeam": "subject; participant.member",
    "ChargeItem": "subject",
    "Claim": "patient; payee.party",
    "ClaimResponse": "patient",
    "ClinicalImpression": "subject",
    "Communication": "subject; sender recipient",
    "CommunicationRequest": "subject; sender recipient requester",
    "Composition": "subject; author attester.party",
    "Condition": "subject; asserter",
    "Consent": "patient",
    "Coverage": "beneficiary; policyHolder subscriber payor",
    "CoverageEligibilityRequest": "patient",
    "CoverageEligibilityResponse": "patient",
    "DetectedIssue": "patient",
    "DeviceRequest": "subject; performer",
    "DeviceUseStatement": "subject",
    "DiagnosticReport": "subject",
    "DocumentManifest": "subject; author recipient",
    "DocumentReference": "subject; author",
    "Encounter": "subject",
    "EnrollmentRequest": "candidate",
    "EpisodeOfCare": "patient",
    "ExplanationOfBenefit": "patient; payee.party",
    "FamilyMemberHistory": "patient",
    "Flag": "subject",
    "Goal": "subject",
    "Group": "member.entity",
    "ImagingStudy": "subject",
    "Immunization": "patient",
    "ImmunizationEvaluation": "patient",
    "ImmunizationRecommendation": "patient",
    "Invoice": "subject; recipient",
    "List": "subject; source",
    "MeasureReport": "subject",
    "Media": "subject",
    "MedicationAdministration": "subject; performer.actor",
    "MedicationDispense": "subject; receiver",
    "MedicationRequest": "subject",
    "MedicationStatement": "subject",
    "MolecularSequence": "patient",
    "NutritionOrder": "patient",
    "Observation": "subject; performer",
    "Patient": "; link.other",
    "Person": "; link.target",
    "Procedure": "subject; performer.actor",
    "Provenance": "target",
    "QuestionnaireResponse": "subject; author",
    "RelatedPerson": "patient",
    "RequestGroup": "subject; action.participant",
    "ResearchSubject": "individual",
    "RiskAssessment": "subject",
    "Schedule": "; actor",
    "ServiceRequest": "subject; performer",
    "Specimen": "subject",
    "SupplyDelivery": "patient",
    "SupplyRequest": "; deliverTo",
    "Task": "for; focus",
    "VisionPrescription": "patient",
}
_BESIDE = {
    "Device": "patient",
    "GuidanceResponse": "subject",
}
"""Not in the compartment, but with an element that says which patient they are about."""

_NOBODYS = """
    ActivityDefinition CapabilityStatement CatalogEntry ChargeItemDefinition CodeSystem
    CompartmentDefinition ConceptMap DeviceDefinition EffectEvidenceSynthesis Endpoint
    EventDefinition Evidence EvidenceVariable ExampleScenario GraphDefinition HealthcareService
    ImplementationGuide InsurancePlan Library Location Measure Medication MedicationKnowledge
    MedicinalProduct MedicinalProductAuthorization MedicinalProductContraindication
    MedicinalProductIndication MedicinalProductIngredient MedicinalProductInteraction
    MedicinalProductManufactured MedicinalProductPackaged MedicinalProductPharmaceutical
    MedicinalProductUndesirableEffect MessageDefinition NamingSystem ObservationDefinition
    OperationDefinition OperationOutcome Organization OrganizationAffiliation PlanDefinition
    Practitioner PractitionerRole Questionnaire ResearchDefinition ResearchElementDefinition
    ResearchStudy RiskEvidenceSynthesis SearchParameter SpecimenDefinition StructureDefinition
    StructureMap Substance SubstanceNucleicAcid SubstancePolymer SubstanceProtein
    SubstanceReferenceInformation SubstanceSourceMaterial SubstanceSpecification
    TerminologyCapabilities TestScript ValueSet
"""
NOBODYS = frozenset(_NOBODYS.split())
"""Types that are about no patient. The rest of R4 (Binary, Bundle, Contract, DeviceMetric, Linkage,
MessageHeader, Parameters, Slot …) may be about one and doesn't say so where a reader would find
it."""

_Path = tuple[str, ...]


class Row(NamedTuple):
    """Paths to references: who the resource is about, and who took part in it."""

    about: tuple[_Path, ...]
    others: tuple[_Path, ...]


def _row(written: str) -> Row:
    about, _, others = written.partition(";")
    return Row(
        *(tuple(tuple(path.split(".")) for path in side.split()) for side in (about, others))
    )


ROWS = {name: _row(written) for name, written in (_COMPARTMENT | _BESIDE).items()}
"""Resource type → its references to patients."""


NAMING = tuple(
    f"$.{name}"
    for name in (
        "resourceType", "id", "identifier", "contained",
        *sorted({
            ".".join((*path, part))
            for row in ROWS.values()
            for paths in row
            for path in paths
            for part in ("reference", "type", "identifier")
        }),
    )
)  # fmt: skip
"""Where it stands in a resource whose it is, as JSONPath without the steps into lists."""


def known_type(name: str) -> str:
    """A resource type that a category may be given to, or ValueError."""
    if name not in ROWS and name not in NOBODYS:
        raise ValueError(f"{name!r} is no resource type of FHIR R4 whose owner can be told")
    return name


_READ = {
    "contained", "entry", "fullUrl", "id", "identifier", "link", "mode", "outcome", "reference",
    "resource", "resourceType", "response", "search", "system", "total", "type", "value",
}  # fmt: skip
_NAMES = _READ.union(
    step for row in ROWS.values() for paths in row for path in paths for step in path
)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().casefold()


_FOLDED = {_folded(name) for name in _NAMES}
_LONGEST = 4 * max(map(len, _NAMES))
_MOST_PLAIN = 16_384
_plain: set[str] = set(_NAMES)
"""Names that were looked at and are like none of ours, or are ours."""


def check_names(value: dict[str, object]) -> None:
    """Raises BadUpstream(BODY_AMBIGUOUS) for a name that looks like one that is read here.

    Parsers that fold case take `Subject` and `subject` for one member (see `locators.check_names`);
    no two elements of FHIR look alike.
    """
    for name in value.keys() - _plain:
        short = name if len(name) <= _LONGEST else name.strip()
        if len(short) <= _LONGEST:
            if _folded(short) in _FOLDED:
                raise BadUpstream(Code.BODY_AMBIGUOUS, "a name that looks like one of FHIR's")
            if len(_plain) < _MOST_PLAIN:
                _plain.add(name)
